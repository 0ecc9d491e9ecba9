"""Finding the router's word on usage in an answer, and taking it out of what the runtime is given."""

import json
from typing import Any

HEADER = "x-signet-usage"
COMMENT = b": signet-usage "
DONE = b"data: [DONE]"
LINE_BYTES = 1024 * 1024
"""A line of a stream that is longer is passed on in parts."""


class Whole:
    """An answer that is no stream: its last piece is held back, so that its end is reported before it is delivered."""

    def __init__(self, header: str) -> None:
        self.usage = parse(header.encode("latin-1"))
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """Take a piece, give what may be passed on."""
        out, self._held = self._held, piece
        return out

    def end(self) -> bytes:
        """Give what is left."""
        return self._held


class Through:
    """An answer of which every piece is passed on at once, as it is."""

    def __init__(self, header: str) -> None:
        self.usage = parse(header.encode("latin-1"))

    def feed(self, piece: bytes) -> bytes:
        """Take a piece, and give it."""
        return piece

    def end(self) -> bytes:
        """Give nothing: nothing is left."""
        return b""


class Stream:
    """A stream of events: the comment with the usage is taken out, and `[DONE]` held back until the end."""

    def __init__(self) -> None:
        self.usage: dict[str, Any] | None = None
        self._line = bytearray()
        self._inside = False  # the begin of this line was passed on already
        self._taken = False  # the line before was the comment: the blank one that ends it goes too
        self._last = bytearray()

    def feed(self, piece: bytes) -> bytes:
        """Take a piece, give what may be passed on: whole lines."""
        self._line += piece
        out = bytearray()
        while (end := self._line.find(b"\n")) >= 0:
            line = bytes(self._line[: end + 1])
            del self._line[: end + 1]
            out += self._passed(line)
        if len(self._line) > LINE_BYTES:
            out += self._passed(bytes(self._line))
            self._line.clear()
            self._inside = True
        return bytes(out)

    def end(self) -> bytes:
        """Give what is left."""
        return bytes(self._last) + self._passed(bytes(self._line))

    def _passed(self, line: bytes) -> bytes:
        inside, self._inside = self._inside, False
        taken, self._taken = self._taken, False
        if not inside and line.startswith(COMMENT):
            self.usage = parse(line.removeprefix(COMMENT))
            self._taken = True
            return b""
        if taken and not line.strip():
            return b""
        if self._last or (not inside and line.startswith(DONE)):
            self._last += line
            return b""
        return line


def parse(text: bytes) -> dict[str, Any] | None:
    """Read the router's JSON; None for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
