"""What a connection that nobody looks into carries, and how long both its sides have been silent."""

import asyncio
from collections.abc import Iterable

from workers.sidecars.egress.denial import Gone
from workers.sidecars.egress.limits import Limits


class Meter:
    """Counts from `total` bytes on, and from now on."""

    def __init__(self, limits: Limits, total: int) -> None:
        self._limits, self._total = limits, total
        self._clock = asyncio.get_running_loop().time
        self._latest = self._clock()

    def told(self, moved: int) -> None:
        """Take what was moved. Raises Gone at the bound."""
        self._total += moved
        self._latest = self._clock()
        if self._total > self._limits.total_bytes:
            raise Gone("it carried as many bytes as it may")

    async def watch(self, directions: Iterable["asyncio.Future[None]"]) -> None:
        """Wait until all have ended. Raises what one of them does, and Gone where all are silent for too long."""
        waiting = set(directions)
        while waiting:
            silent = self._clock() - self._latest
            if silent >= self._limits.idle_seconds:
                raise Gone("it was silent for too long")
            left = self._limits.idle_seconds - silent
            done, waiting = await asyncio.wait(waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
