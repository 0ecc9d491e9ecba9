"""The way of a model's answer back to its caller, on which secret values are taken out of it."""

import asyncio
from typing import TYPE_CHECKING

from router.ask import LARGE_BYTES
from router.redaction.redactor import Redactor

if TYPE_CHECKING:
    from router.sink import Sink


class Clean:
    """A sink before another. It has begun with the first that it was sent, also while that waits."""

    __slots__ = ("_events", "_redactor", "_sink", "started")

    def __init__(self, sink: "Sink", redactor: Redactor) -> None:
        self._sink = sink
        self._redactor = redactor
        self._events = redactor.events()
        self.started = sink.started

    async def whole(self, body: bytes, usage: bytes) -> None:
        """Send an answer that is no stream."""
        self.started = True
        whole = self._redactor.whole
        await self._sink.whole(await asyncio.to_thread(whole, body) if len(body) > LARGE_BYTES else whole(body), usage)

    async def send(self, piece: bytes) -> None:
        """Begin a stream with its first events, or go on."""
        self.started = True
        if ready := self._events.feed(piece):
            await self._sink.send(ready)

    @property
    def room(self) -> bool:
        """Whether `put` may be called."""
        return self._sink.room

    def put(self, piece: bytes) -> None:
        """Go on at once."""
        if ready := self._events.feed(piece):
            self._sink.put(ready)

    async def end(self, piece: bytes) -> None:
        """Send a stream's last events, those that waited before them."""
        self.started = True
        await self._sink.end(self._events.feed(piece) + self._events.end())
