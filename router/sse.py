"""Server-sent events on their way through: cut into whole events, read where they matter, changed nowhere."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from router.usage import Usage, estimate, read

_BOUNDARY = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')
_UNFINISHED = b'"finish_reason":null}]'
_TELLS = re.compile(rb'"(?:usage|error)"\s*:\s*(?!null[\s,}])\S')
_LINE = re.compile(rb"\r\n|\n|\r")

MAX_EVENT_BYTES = 16 << 20


class Garbage(Exception):
    """Raised for a stream that is none; the message says what came instead, without quoting it."""


@dataclass
class Stream:
    """Reads one chat stream. `keep_usage`: whether the caller asked for the event that holds only the usage.

    Whole events are passed on as they were; an event that is cut off by the stream's end is not. `[DONE]` is held back,
    for the ledger comes first.
    """

    keep_usage: bool
    done: bool = False
    finished: bool = False
    failed: bool = False
    events: int = 0
    usage: Usage | None = None
    spoilt: Garbage | None = None
    _rest: bytes = b""
    _bytes: int = 0
    _least: int = 0

    def feed(self, piece: bytes) -> bytes:
        """Take the next piece and give what may be passed on.

        Raises Garbage. Where whole events came before it, they are given first, and it is in `spoilt`.
        """
        data = self._rest + piece if self._rest else piece
        ready: list[bytes] = []
        start = 0
        for end in _ends(data, max(0, len(self._rest) - 3)):
            if self.done:
                break
            event = data[start:end]
            start = end
            try:
                if self._passes(event):
                    ready.append(event)
            except Garbage as error:
                self.spoilt = error
                break
        self._rest = b"" if self.done or self.spoilt else data[start:]
        if len(self._rest) > MAX_EVENT_BYTES:
            self.spoilt = Garbage(f"an event of more than {MAX_EVENT_BYTES} bytes")
        if self.spoilt and not ready:
            raise self.spoilt
        return ready[0] if len(ready) == 1 else b"".join(ready)

    @property
    def complete(self) -> bool:
        """Whether the answer was whole: it said so, or its last choice was finished."""
        return self.done or self.finished

    def settle(self, input_bytes: int) -> Usage:
        """Give what was consumed; an estimate where the stream did not say."""
        if self.usage is not None:
            return self.usage
        return estimate(input_bytes, self._bytes - self.events * self._least, self.events)

    def _passes(self, event: bytes) -> bool:
        payload = _payload(event)
        if payload is None:
            return True  # a comment or a field that we know nothing of
        if payload == b"[DONE]":
            self.done = True
            return False
        if not (payload.startswith(b"{") and payload.endswith(b"}")):
            raise Garbage("an event that is no JSON object")
        if _TELLS.search(payload):
            return self._read(payload)
        self._count(payload)
        return True

    def _count(self, payload: bytes) -> None:
        self.events += 1
        self._bytes += len(payload)
        self._least = min(self._least or len(payload), len(payload))
        if not self.finished and _UNFINISHED not in payload and _FINISHED.search(payload):
            self.finished = True

    def _read(self, payload: bytes) -> bool:
        value = _parse(payload)
        usage = read(value.get("usage"))
        if usage is not None:
            self.usage = usage  # of several, the last one stands: they grow
        if value.get("error") and not value.get("choices"):
            self.failed = True
            return True
        if usage is not None and not value.get("choices"):
            return self.keep_usage
        self._count(payload)
        return True


def _ends(data: bytes, start: int) -> Iterator[int]:
    """Give where events end. Most streams know no carriage return, and most pieces hold one event."""
    if b"\r" in data:
        for boundary in _BOUNDARY.finditer(data, start):
            yield boundary.end()
        return
    while (found := data.find(b"\n\n", start)) >= 0:
        start = found + 2
        yield start


def _payload(event: bytes) -> bytes | None:
    """Give an event's data, its lines joined; None where it has none."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        return event[6:-2].strip()
    lines = [line[5:].strip() for line in _LINE.split(event) if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


def _parse(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise Garbage("an event that is no JSON") from error
    if not isinstance(value, dict):
        raise Garbage("an event that is no JSON object")
    return value
