"""How long to wait before a program that ended is started again. Pure: times come from the caller."""

from collections import deque
from dataclasses import dataclass, field

WINDOW_SECONDS = 60.0
LOOP_CRASHES = 5
"""Ends within the window that make it a crash loop, until it lives for longer than that."""

_FIRST_SECONDS = 0.1
_LOOP_SECONDS = 30.0


@dataclass
class Backoff:
    """The ends of one program within the last minute, and whether they make a crash loop."""

    ends: deque[float] = field(default_factory=lambda: deque(maxlen=LOOP_CRASHES))
    looping: bool = False

    def ended(self, now: float, lived_seconds: float) -> float:
        """Note an end, and give the seconds to wait: 0.1, 0.2, 0.4, 0.8, then 30 in a crash loop."""
        if lived_seconds > WINDOW_SECONDS:
            self.looping = False
        while self.ends and now - self.ends[0] > WINDOW_SECONDS:
            self.ends.popleft()
        self.ends.append(now)
        self.looping = self.looping or len(self.ends) == LOOP_CRASHES
        return _LOOP_SECONDS if self.looping else _FIRST_SECONDS * 2 ** (len(self.ends) - 1)
