"""Pid 1's own bound on the memory of its sandbox, where the host has no group that would hold it."""

import math
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

CALM_SECONDS: Final = 0.2
ALERT_SECONDS: Final = 0.04
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """Ends the largest processes whenever all together have more than `bytes_allowed` (0: never).

    It looks five times a second while something runs, and more often from half of it on.
    """

    def __init__(self, bytes_allowed: int) -> None:
        self._allowed = bytes_allowed
        self._due = math.inf

    @property
    def timeout(self) -> int | None:
        """In how many milliseconds `look` is due; None while nothing runs or nothing is bounded."""
        return None if self._due == math.inf else max(0, math.ceil((self._due - time.monotonic()) * 1000))

    def begin(self) -> None:
        """Look from now on: something was started."""
        if self._allowed and self._due == math.inf:
            self._due = time.monotonic() + CALM_SECONDS

    def look(self) -> None:
        """If it is due, add up, and if it is too much end the largest until the rest is not."""
        if time.monotonic() < self._due:
            return
        with os.scandir("/proc") as folders:
            sizes = {int(one.name): _own(one.name) for one in folders if one.name.isdigit() and one.name != "1"}
        together = sum(sizes.values())
        again = ALERT_SECONDS if together > self._allowed // 2 else CALM_SECONDS if sizes else math.inf
        self._due = time.monotonic() + again
        if together > self._allowed:
            # Pages that a fork shares count for each in that sum. Where one may look closer, they are divided.
            self._end({pid: _share(pid, size) for pid, size in sizes.items()})

    def _end(self, shares: dict[int, int]) -> None:
        together = sum(shares.values())
        for pid in sorted(shares, key=lambda pid: shares[pid], reverse=True):
            if together <= self._allowed:
                return
            together -= shares[pid]
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _own(name: str) -> int:
    try:
        _, resident, shared, *_ = map(int, Path("/proc", name, "statm").read_text().split())
    except (OSError, ValueError):  # it has ended
        return 0
    return (resident - shared) * _PAGE


def _share(pid: int, otherwise: int) -> int:
    try:
        lines = Path("/proc", str(pid), "smaps_rollup").read_text().splitlines()
    except OSError:
        return otherwise
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss_Anon:"))
