"""How long a caller waits for a service that is away, and how often it asks meanwhile."""

import asyncio
import random
import time
from collections.abc import Callable

from signet.kit.errors import SignetError, Unavailable

_FIRST_SECONDS = 0.1
_LONGEST_SECONDS = 2.0


class Patience:
    """Waits 0.1 s doubling to 2 s, each half to wholly, until `seconds` have passed since the last success.

    Only Unavailable is waited out: a service that says no keeps saying no.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self.renew()

    def renew(self) -> None:
        """Begin anew, after a success."""
        self._until = self._clock() + self._seconds
        self._pause = _FIRST_SECONDS

    async def outwait(self, failure: SignetError) -> None:
        """Return when it is time to ask again. Raises the failure where asking again is no use."""
        pause = failure.retry_after_seconds or self._pause * random.uniform(0.5, 1)  # noqa: S311 - spreads callers
        if not isinstance(failure, Unavailable) or self._clock() + pause > self._until:
            raise failure
        self._pause = min(self._pause * 2, _LONGEST_SECONDS)
        await asyncio.sleep(pause)
