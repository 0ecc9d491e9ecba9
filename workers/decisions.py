"""What a sandbox's egress decided, on its way to whoever keeps it: the first of its kind at once, repeats counted."""

import asyncio
from collections.abc import Callable

from workers.egress import Decided

MERGED_SECONDS = 10.0
"""Repeats within it are counted."""
KINDS = 256
"""Different decisions that are counted at a time; with one more, what was counted is told at once."""


class Decisions:
    """Decisions of one sandbox. `tell` is given each with how often it was made."""

    def __init__(self, tell: Callable[[Decided, int], None]) -> None:
        self._tell = tell
        self._counts: dict[Decided, int] = {}
        self._window: asyncio.TimerHandle | None = None

    def note(self, decided: Decided) -> None:
        """Take one."""
        if decided in self._counts:
            self._counts[decided] += decided.count
            return
        if len(self._counts) >= KINDS:
            self.flush()
        self._counts[decided] = 0
        self._tell(decided, decided.count)
        if self._window is None:
            self._window = asyncio.get_running_loop().call_later(MERGED_SECONDS, self.flush)

    def flush(self) -> None:
        """Tell what was counted, and begin anew."""
        if self._window:
            self._window.cancel()
            self._window = None
        counts, self._counts = self._counts, {}
        for decided, count in counts.items():
            if count:
                self._tell(decided, count)
