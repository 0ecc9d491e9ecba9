"""Server-sent events: cut out of what comes, and taken apart. Knows no form."""

import json
import re
from collections.abc import Mapping
from typing import Any

_BOUNDARY = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE = re.compile(rb"\r\n|\n|\r")

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

MAX_EVENT_BYTES = 16 << 20


class Garbage(Exception):
    """Raised for a stream that is none; the message says what came instead, without quoting it."""


class Cutter:
    """Cuts pieces into whole events, each with the empty line that ends it."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    @property
    def endless(self) -> bool:
        """Whether what came of the next event is above MAX_EVENT_BYTES already."""
        return len(self._rest) > MAX_EVENT_BYTES

    def feed(self, piece: bytes) -> list[bytes]:
        """Take the next piece and give the events that it completes."""
        rest = self._rest
        if not rest and piece.find(b"\n\n") == len(piece) - 2 >= 0 and b"\r" not in piece:
            return [piece]  # one event, as most pieces are
        events, self._rest = split(rest + piece if rest else piece, max(0, len(rest) - 3))
        return events


def split(data: bytes, seen: int = 0) -> tuple[list[bytes], bytes]:
    """Give whole events, each with the empty line that ends it, and what is left; none ends before `seen`."""
    events: list[bytes] = []
    start, at = 0, seen
    if b"\r" in data:
        for boundary in _BOUNDARY.finditer(data, at):
            events.append(data[start : boundary.end()])
            start = boundary.end()
        return events, data[start:]
    while (found := data.find(b"\n\n", at)) >= 0:  # most streams know no carriage return
        at = found + 2
        events.append(data[start:at])
        start = at
    return events, data[start:]


def payload(event: bytes) -> bytes | None:
    """Give an event's data, its lines joined; None where it has none: a comment, or a field nobody knows."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2 and b"\r" not in event:
        return event[6:-2].strip()
    lines = [line[5:].strip() for line in _LINE.split(event) if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


def parsed(data: bytes) -> dict[str, Any]:
    """Read an event's data as a JSON object. Raises Garbage."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Garbage("an event that is no JSON") from error
    if not isinstance(value, dict):
        raise Garbage("an event that is no JSON object")
    return value


def encoded(value: Mapping[str, Any]) -> bytes:
    """Write what a provider said for a caller: letters as they are, halves of them, too."""
    return _encode(value).encode(errors="surrogatepass")


def written(value: Mapping[str, Any], name: str = "") -> bytes:
    """Write an event, with its name where it has one."""
    data = encoded(value)
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n" if name else b"data: " + data + b"\n\n"
