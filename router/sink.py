"""Where an answer goes."""

from typing import Protocol


class CallerGone(Exception):
    """Raised when whoever asked has left, or reads nothing any more."""


class Sink(Protocol):
    """The way to a caller. What is awaited returns when its connection has room again. Raises CallerGone."""

    @property
    def started(self) -> bool:
        """Whether anything was sent, so that it is too late for another status."""

    @property
    def room(self) -> bool:
        """Whether `put` may be called, once the stream has begun."""

    async def whole(self, body: bytes, usage: bytes) -> None:
        """Send an answer that is no stream."""

    async def send(self, piece: bytes) -> None:
        """Begin a stream with its first events, or go on."""

    def put(self, piece: bytes) -> None:
        """Go on at once: only where there is `room`, which this may use up."""

    async def end(self, piece: bytes) -> None:
        """Send a stream's last events."""
