"""A short folder for each test, and nothing of a fleet left behind."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.fleet import short_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    made = short_folder()
    yield made
    shutil.rmtree(made)
