"""How many calls a minute: exactly, whatever the minute begins with."""

import time
from collections import deque
from collections.abc import Callable

_WINDOW_SECONDS = 60.0
_CALLERS = 1_024


class Rates:
    """The calls of the last minute by API and caller. Of one router: several routers each count what passes them.

    It keeps a time for every call of the last minute, and forgets who called none.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls: dict[tuple[str, str], deque[float]] = {}
        self._swept = 0.0

    def take(self, api: str, caller: str, most: int) -> float:
        """Count a call, unless there were `most` in the last minute: then give the seconds until one fits, else 0."""
        now = self._clock()
        if len(self._calls) >= _CALLERS and now - self._swept >= 1:
            self._sweep(now)
        calls = self._calls.setdefault((api, caller), deque())
        while calls and calls[0] <= now - _WINDOW_SECONDS:
            calls.popleft()
        if len(calls) >= most:
            return calls[len(calls) - most] + _WINDOW_SECONDS - now
        calls.append(now)
        return 0.0

    def _sweep(self, now: float) -> None:
        """Forget those who called nothing in the last minute."""
        self._swept = now
        self._calls = {key: calls for key, calls in self._calls.items() if calls and calls[-1] > now - _WINDOW_SECONDS}
