"""How many calls run at a provider at once, how many wait, and what the next one is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from router.refusal import Refusal


class Gate:
    """`concurrency` calls inside, `queue` in front of it in the order they came, nobody else."""

    def __init__(self, name: str, *, concurrency: int, queue: int) -> None:
        self._name = name
        self._free = asyncio.Semaphore(concurrency)
        self._concurrency = concurrency
        self._queue = queue
        self._waiting = 0

    @asynccontextmanager
    async def entered(self, wait_seconds: float) -> AsyncIterator[None]:
        """Be inside. Raises Refusal (429) when the queue is full or the wait was too long."""
        if self._free.locked():
            await self._wait(wait_seconds)
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    async def _wait(self, wait_seconds: float) -> None:
        if self._waiting >= self._queue:
            raise self._full(f"{self._waiting} more are waiting")
        self._waiting += 1
        try:
            async with asyncio.timeout(wait_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise self._full(f"none ended in {wait_seconds:g} s") from error
        finally:
            self._waiting -= 1

    def _full(self, why: str) -> Refusal:
        message = f"{self._name} is busy with {self._concurrency} calls and {why}; try again later"
        return Refusal(429, "rate_limit_exceeded", message, retry_after_seconds=1)
