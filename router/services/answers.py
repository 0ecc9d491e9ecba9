"""Where answers go that gRPC brings to their callers: whole, or as a bounded buffer between two tasks."""

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

from router.dialects.events import Cutter, payload
from router.services.refusals import told
from signet.kit.errors import SignetError
from signet.v1.usage_pb2 import Usage

_USAGE = b": signet-usage "
_ERROR = re.compile(rb'"error"\s*:(?!\s*null[\s,}])')
_DONE = b"[DONE]"
_MOST_BYTES = 256 << 10
"""What a stream may be ahead of its reader; then its provider is read no further."""


class Whole:
    """Keeps an answer that is no stream."""

    started = False
    room = False
    body = b""
    usage: Usage | None = None

    async def whole(self, body: bytes, usage: bytes) -> None:
        """Take it."""
        self.started = True
        self.body, self.usage = body, counted(usage)

    async def send(self, piece: bytes) -> None:
        """Never: no stream was asked for."""
        raise RuntimeError("a stream where none was asked for")

    end = send

    def put(self, piece: bytes) -> None:
        """Never: as above."""
        raise RuntimeError("a stream where none was asked for")


class Stream:
    """Takes a stream's events for another task to pass on, whose deadline is that of both."""

    def __init__(self) -> None:
        self.started = False
        self.usage: Usage | None = None
        self.failure: SignetError | None = None
        self.over = asyncio.Event()
        """Set when nothing more comes."""
        self._cutter = Cutter()
        self._events: list[bytes] = []
        self._bytes = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()

    async def whole(self, body: bytes, usage: bytes) -> None:
        """Never: a stream was asked for."""
        raise RuntimeError("no stream where one was asked for")

    async def send(self, piece: bytes) -> None:
        """Take events; returns when there is room for more."""
        self.put(piece)
        while not self.room:
            self._room.clear()
            await self._room.wait()

    @property
    def room(self) -> bool:
        """Whether its reader is not too far behind."""
        return self._bytes <= _MOST_BYTES

    async def end(self, piece: bytes) -> None:
        """Take the last ones."""
        self.put(piece)

    def put(self, piece: bytes) -> None:
        """Take events at once."""
        self.started = True
        for event in self._cutter.feed(piece):
            self._take(event)
        if self._events:
            self._filled.set()

    def close(self) -> None:
        """Take note that nothing more comes."""
        self.over.set()
        self._filled.set()

    async def filled(self) -> None:
        """Wait until there is something, or nothing more comes."""
        await self._filled.wait()

    def taken(self) -> list[bytes]:
        """Give what there is."""
        events, self._events, self._bytes = self._events, [], 0
        if not self.over.is_set():
            self._filled.clear()
        self._room.set()
        return events

    def _take(self, event: bytes) -> None:
        data = payload(event)
        if data is None:
            if event.startswith(_USAGE):
                self.usage = counted(event[len(_USAGE) :])
        elif _ERROR.search(data) and (error := _error(data)) is not None:
            self.failure = told(error)
        elif data != _DONE:
            self._events.append(data)
            self._bytes += len(data)


def counted(usage: bytes) -> Usage:
    """Read what a call used, as the door tells it."""
    said = json.loads(usage)
    return Usage(
        input_tokens=said["input_tokens"],
        output_tokens=said["output_tokens"],
        cached_tokens=said["cached_tokens"],
        reasoning_tokens=said["reasoning_tokens"],
        cache_write_tokens=said["cache_write_tokens"],
        cost_microusd=said["cost_microusd"],
        estimated=said["estimated"],
        calls=1,
    )


def _error(data: bytes) -> Mapping[str, Any] | None:
    """Read the error that an event tells of, be it beside a choice, as with some; None where it tells of none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    error = value.get("error") if isinstance(value, Mapping) else None
    if not error:
        return None
    return error if isinstance(error, Mapping) else {"message": error}
