"""The fake fleet in a thread of its own, for tests of synchronous code and of programs."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

from signet.kit.home import Home
from tests.fakes.control import State, furnished, serve

T = TypeVar("T")


class Hosted:
    """A fleet that programs can reach at `home` while the block lasts; `stop` and `start` are a restart."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.state: State
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._serving: AbstractAsyncContextManager[None] | None = None

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def start(self) -> None:
        self._serving = serve(self.state, self.home)
        self.call(self._enter())

    def stop(self) -> None:
        if self._serving:
            self.call(self._leave())
            self._serving = None

    async def _enter(self) -> None:
        # one task enters and leaves: a task group belongs to the task that opened it
        ready: asyncio.Future[None] = self._loop.create_future()
        self._over = asyncio.Event()

        async def hold(serving: AbstractAsyncContextManager[None]) -> None:
            async with serving:
                ready.set_result(None)
                await self._over.wait()

        if self._serving is None:
            raise RuntimeError("nothing to serve")
        self._holder = asyncio.create_task(hold(self._serving))
        await asyncio.wait([ready, self._holder], return_when=asyncio.FIRST_COMPLETED)
        if self._holder.done():
            await self._holder

    async def _leave(self) -> None:
        self._over.set()
        await self._holder

    async def _furnish(self) -> State:
        return furnished()

    def __enter__(self) -> Self:
        self._thread.start()
        self.state = self.call(self._furnish())
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
