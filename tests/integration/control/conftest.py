"""A control of its own for every test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.control.fleet import Fleet, running


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with running(tmp_path) as served:
        yield served
