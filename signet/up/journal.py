"""A program's log file: what it says goes there as it says it, within a bound, and its last lines stay at hand."""

import os
from collections import deque
from pathlib import Path

LIMIT_BYTES = 8 * 1024 * 1024
"""A file this long becomes `<name>.log.1`, in place of the one before; so a program's logs take twice that at most."""

LAST_LINES = 20
_LINE_BYTES = 2000


class Journal:
    """One log file. A disk that takes nothing more loses lines, never the program: `lost` counts the bytes."""

    def __init__(self, path: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self.path = path
        self.lost = 0
        self._limit = limit_bytes
        self._last: deque[bytes] = deque(maxlen=LAST_LINES)
        self._rest = b""
        self._file: int | None = None
        self._size = 0

    def write(self, piece: bytes) -> None:
        """Append what the program said."""
        self._remember(piece)
        try:
            if self._file is None or self._size + len(piece) > self._limit:
                self._turn()
            if self._file is not None:
                self._size += os.write(self._file, piece)
        except OSError:
            self.lost += len(piece)

    def last(self, count: int = LAST_LINES) -> list[str]:
        """Give the last lines, the oldest first, each cut to 2000 bytes."""
        lines = [*self._last, *([self._rest] if self._rest else [])]
        return [line.decode(errors="replace") for line in lines[-count:]]

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _remember(self, piece: bytes) -> None:
        *whole, rest = (self._rest + piece).split(b"\n")
        self._last.extend(line[:_LINE_BYTES] for line in whole[-LAST_LINES:] if line.strip())
        self._rest = rest[:_LINE_BYTES]

    def _turn(self) -> None:
        """Open the file, or put a full one aside and begin another."""
        fresh = self._file is None
        self.close()
        if not fresh or (self.path.exists() and self.path.stat().st_size >= self._limit):
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size
