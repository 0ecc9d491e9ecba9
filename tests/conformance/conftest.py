"""The engines, set up once."""

from collections.abc import Iterator

import pytest

from tests.conformance import engines as setup
from tests.conformance.engines import Engines


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    """Give what can be tested here."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield setup.set_up(tmp_path_factory.mktemp("engines"), monkeypatch)
