"""One direction between two streams: a few messages wait in it, then whoever puts has to wait."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Pipe(Generic[T]):
    """Holds at most `size` messages, for one that puts and one that gets, on one event loop."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[T] = deque()
        self._ended = False
        self._error: Exception | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def put(self, item: T) -> bool:
        """Wait for room and put a message in. False once the pipe has ended: nobody will get it."""
        while len(self._items) >= self._size and not self._ended:
            self._room.clear()
            await self._room.wait()
        if self._ended:
            return False
        self._items.append(item)
        self._news.set()
        return True

    async def get(self) -> T | None:
        """Wait for the next message; None once the pipe has ended and is empty. Raises what it was ended with."""
        while not self._items and not self._ended:
            self._news.clear()
            await self._news.wait()
        if self._items:
            self._room.set()
            return self._items.popleft()
        if self._error is not None:
            raise self._error
        return None

    def end(self, error: Exception | None = None) -> None:
        """Let nothing more in; what is in it can still be got. The first end counts."""
        if not self._ended:
            self._ended, self._error = True, error
            self._news.set()
            self._room.set()
