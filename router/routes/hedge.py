"""Hedging: where one target has not begun to answer after a while, the next one is asked, too; the first to begin wins.

Both reserve their worst case first. The one that is overtaken is cancelled at once, which hangs up on its provider, and
is settled at what it may have used.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from router.routes.lineup import Stop
from router.routes.miss import Miss

Put = Callable[[Stop, Callable[[], None]], Awaitable[Miss | None]]


class Started(Protocol):
    """Where the answer goes."""

    @property
    def started(self) -> bool:
        """Whether anything of it was sent on."""


async def run(order: Sequence[Stop], put: Put, sink: Started, after_seconds: float) -> tuple[Stop | None, list[Miss]]:
    """Put a call to targets in this order, at most two at a time; gives who answered, and who did not.

    Nobody runs any more when it returns or raises; whoever cancels it cancels all.
    """
    race = _Race(order, put, sink)
    try:
        return await race.run(after_seconds)
    finally:
        await race.end()


class _Race:
    def __init__(self, order: Sequence[Stop], put: Put, sink: Started) -> None:
        self._left = deque(order)
        self._put = put
        self._sink = sink
        self._running: dict[asyncio.Task[Miss | None], Stop] = {}
        self._winner: asyncio.Task[Miss | None] | None = None
        self._misses: list[Miss] = []

    async def run(self, after_seconds: float) -> tuple[Stop | None, list[Miss]]:
        hedged = False
        self._start()
        while self._running:
            waits = None if hedged or self._winner or not self._left else after_seconds
            done, _ = await asyncio.wait(self._running, timeout=waits, return_when=asyncio.FIRST_COMPLETED)
            if not done and self._winner is None:
                hedged = True
                self._start()
            for task in done:
                stop = self._running.pop(task)
                if task.cancelled():
                    continue  # it was overtaken
                miss = task.result()
                if miss is None:
                    return stop, self._misses
                self._misses.append(miss)
                if self._sink.started or not miss.passes:
                    return None, self._misses
                if task is self._winner:
                    self._winner = None  # it broke off before anything of it was sent on
            if not self._running and self._left:
                self._start()
        return None, self._misses

    async def end(self) -> None:
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
            for task in self._running:
                if not task.cancelled():
                    task.exception()  # seen

    def _start(self) -> None:
        stop = self._left.popleft()
        task = asyncio.get_running_loop().create_task(self._run(stop))
        self._running[task] = stop

    async def _run(self, stop: Stop) -> Miss | None:
        return await self._put(stop, self._begins)

    def _begins(self) -> None:
        """Let the task that runs win; the others, which come no further than they are, are cancelled."""
        self._winner = asyncio.current_task()
        for other in self._running:
            if other is not self._winner:
                other.cancel()
