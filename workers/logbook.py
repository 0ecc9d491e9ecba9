"""The log of one sandbox: its last lines are kept, and whoever follows it hears of new ones."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from signet.kit.times import now_micros

LINES = 1000
"""How many lines a sandbox's log keeps."""
TEXT_CHARACTERS = 2000
"""Most characters of one line; what is longer is cut, and says so."""


@dataclass(frozen=True, slots=True)
class Line:
    """What happened: `time` in microseconds since 1970, `event` a constant for programs, `text` for people."""

    time: int
    event: str
    text: str


class Logbook:
    """The log of one sandbox. Writing never waits: whoever reads too slowly is told how much was passed over."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self._lines: deque[Line] = deque(lines, LINES)
        self._written = len(self._lines)
        self._closed = False
        self._news = asyncio.Event()

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is kept, oldest first."""
        return tuple(self._lines)

    def write(self, event: str, text: str) -> None:
        """Add a line. Line breaks in it become spaces: a line stays one."""
        text = " ".join(text.split())
        if len(text) > TEXT_CHARACTERS:
            text = f"{text[:TEXT_CHARACTERS]}… ({len(text)} characters)"
        self._lines.append(Line(now_micros(), event, text))
        self._written += 1
        self._ring()

    def close(self) -> None:
        """Say that nothing comes any more: whoever follows is through after the last line."""
        self._closed = True
        self._ring()

    async def read(self, *, follow: bool) -> AsyncIterator[Line]:
        """Give what is kept, oldest first; with `follow` new lines too, until the log is closed."""
        seen = self._written - len(self._lines)
        while True:
            lost = self._written - len(self._lines) - seen
            if lost > 0:
                seen += lost
                text = f"{lost} lines were passed over: they came faster than they were read."
                yield Line(now_micros(), "skipped", text)
                continue
            if seen < self._written:
                line = self._lines[seen - self._written]
                seen += 1
                yield line
            elif self._closed or not follow:
                return
            else:
                await self._news.wait()

    def _ring(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
