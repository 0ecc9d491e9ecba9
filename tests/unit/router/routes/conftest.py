"""Several served fakes behind one router."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.provider import FakeProvider
from tests.unit.router.rig import Rig, rig
from tests.unit.router.routes.bench import Bench, fakes

Open = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    """Give what opens a bench: a router with so many fakes as providers `a`, `b`, `c`, …, and options."""
    async with AsyncExitStack() as stack:

        async def open_(count: int = 2, **options: Any) -> Bench:
            running: Rig = await stack.enter_async_context(rig(tmp_path / "home", **options))
            served: list[FakeProvider] = await stack.enter_async_context(fakes(running, count))
            return Bench(running, served)

        yield open_
