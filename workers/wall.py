"""A run's wall clock: it stands still while a tool call waits for a person."""

import asyncio
import contextlib
from collections.abc import Iterator

from workers.clock import now

STANDING_SECONDS = 86_400.0
"""Most time in all that is not counted of a run; a single question waits at most that long, too."""


class Wall:
    """The time of one run. What a person takes to answer is not the run's, up to STANDING_SECONDS of it.

    Whatever else the run does meanwhile goes on and is not counted either; each tool call has its own bound.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._spare = STANDING_SECONDS
        self._waits = 0
        self._changed = asyncio.Event()

    def within(self, seconds: float) -> None:
        """Let no more than that be left."""
        self._left = min(self._left, seconds)
        self._changed.set()

    @contextlib.contextmanager
    def standing(self) -> Iterator[None]:
        """Let it stand still; several may at once."""
        self._waits += 1
        self._changed.set()
        try:
            yield
        finally:
            self._waits -= 1
            self._changed.set()

    async def over(self) -> None:
        """Wait until the run's time is over."""
        while self._left > 0:
            standing = self._waits > 0 and self._spare > 0
            began = now()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._spare if standing else self._left):
                    await self._changed.wait()
            self._changed.clear()
            if standing:
                self._spare -= now() - began
            else:
                self._left -= now() - began
