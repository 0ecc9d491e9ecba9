"""A fake fleet, really served on the sockets of a data folder."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from signet.client import AsyncSignet
from signet.kit.home import Home
from tests.fakes.control import State, furnished, serve
from tests.fakes.hosted import Hosted


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("SIGNET_CONTROL", "SIGNET_ROUTER", "SIGNET_TOKEN", "SIGNET_DATA"):
        monkeypatch.delenv(name, raising=False)
    return Home(tmp_path / "data")


@pytest.fixture
async def state(home: Home) -> AsyncIterator[State]:
    state = furnished()
    async with serve(state, home):
        yield state


@pytest.fixture
async def signet(state: State, home: Home) -> AsyncIterator[AsyncSignet]:
    del state  # it is served
    async with AsyncSignet(data=str(home.root), patience_seconds=5) as signet:
        yield signet


@pytest.fixture
def hosted(home: Home) -> Iterator[Hosted]:
    with Hosted(home) as hosted:
        yield hosted
