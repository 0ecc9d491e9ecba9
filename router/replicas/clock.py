"""The database's time between two looks at it: no host's clock counts, and none has to be right."""

import time


class SharedClock:
    """Goes on by the monotonic clock from what the database said last."""

    def __init__(self) -> None:
        self._said = 0
        self._since = 0.0

    def at(self, micros: int) -> int:
        """Take what the database says; gives the time to go by now."""
        self._said, self._since = micros, time.monotonic()
        return micros

    def now(self) -> int:
        """Give the time, microseconds since 1970."""
        return self._said + int((time.monotonic() - self._since) * 1_000_000)
