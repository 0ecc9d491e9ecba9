"""Pid 1's own bound on the memory of its sandbox, where the host has no group that would hold it."""

import math
import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from workers.sandbox import leftovers

CALM_SECONDS: Final = 0.2
ALERT_SECONDS: Final = 0.04
# Shared memory, too: of files in /tmp it is bounded already, of mappings without a file only here.
_OWN: Final = re.compile(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)
_SHARE: Final = re.compile(r"^Pss_(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)


class Watch:
    """Ends the largest processes whenever all together have more than `bytes_allowed` (0: never).

    Shared memory segments belong to no process, so they count besides, those too that a process has attached, and are
    removed before a process is ended.

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
        together = sum(sizes.values()) + leftovers.segment_bytes()
        again = ALERT_SECONDS if together > self._allowed // 2 else CALM_SECONDS if sizes else math.inf
        self._due = time.monotonic() + again
        if together > self._allowed:
            # Pages that a fork shares count for each in that sum. Where one may look closer, they are divided.
            self._end({pid: _share(pid, size) for pid, size in sizes.items()})

    def _end(self, shares: dict[int, int]) -> None:
        processes, segments = sum(shares.values()), leftovers.segment_bytes()
        if processes + segments > self._allowed and segments:
            leftovers.remove_segments()
            segments = leftovers.segment_bytes()  # what is still attached
        for pid in sorted(shares, key=lambda pid: shares[pid], reverse=True):
            if processes + segments <= self._allowed:
                return
            processes -= shares[pid]
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _own(name: str) -> int:
    return _added(Path("/proc", name, "status"), _OWN) or 0


def _share(pid: int, otherwise: int) -> int:
    found = _added(Path("/proc", str(pid), "smaps_rollup"), _SHARE)
    return otherwise if found is None else found


def _added(path: Path, lines: re.Pattern[str]) -> int | None:
    """Add up lines in kilobytes; None where the process has ended or may not be looked at."""
    try:
        return sum(map(int, lines.findall(path.read_text()))) << 10
    except OSError:
        return None
