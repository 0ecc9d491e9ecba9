"""The bound of a workspace's bytes and files: looked at while processes run, and all of them killed beyond it."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable

from workers.clock import now
from workers.measure import Measure, Usage
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.sandbox import Sandbox

INODES = 500_000
"""Most files and folders of a workspace."""
GLANCE_SECONDS = 0.25
"""How often the file system's free space is looked at, which costs nothing."""
MOST_SECONDS = 10.0
"""Longest time between two looks at the whole workspace."""
RATE_BYTES = 512 << 20
"""How much a second may be written, as far as the next look is planned."""
RATE_INODES = 100_000
"""How many files a second may be made, likewise."""
SLACK_BYTES = 1 << 20
"""How much what is beyond the bound already may grow: less is what every program writes."""
SHARE = 20
"""A look may take one part in so many of the time."""

_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


class Guard:
    """Somebody's time under the quota. `problem` says why everything was killed, "" while nothing was."""

    def __init__(self, *, person: bool) -> None:
        self.person = person
        self.problem = ""


class Quota:
    """The quota of one sandbox's workspace. It is looked at while anybody is in `guard`, and once more after that.

    What was beyond the bound already when the first guard came may stay and shrink, but not grow; where it cannot be
    counted, only a person may be in it. `told` hears of each breach. `most_bytes` is 0 for no bound on bytes.
    """

    def __init__(
        self, sandbox: Sandbox, *, most_bytes: int, most_inodes: int = INODES, told: Callable[[str], None]
    ) -> None:
        self._sandbox = sandbox
        self._most = most_bytes
        self._most_inodes = most_inodes
        self._told = told
        self._guards: set[Guard] = set()
        self._watching: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._first = False  # whether a guard came since the last look, and there was none before it
        self.used = Usage()
        """What the last look found."""

    @contextlib.asynccontextmanager
    async def guard(self, *, person: bool = False) -> AsyncIterator[Guard]:
        """Have the workspace watched while a run, or a person, is in the sandbox."""
        guard = Guard(person=person)
        self._first = self._first or not self._guards
        self._guards.add(guard)
        self._changed.set()
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield guard
        finally:
            self._guards.discard(guard)
            self._changed.set()

    async def aclose(self) -> None:
        """Look no more."""
        if self._watching:
            self._watching.cancel()
            await asyncio.wait([self._watching])

    async def look(self) -> Usage:
        """Look at the whole workspace, in a thread."""
        measure = Measure(self._sandbox.spec.workspace, self._sandbox.pid, self._most_inodes)
        try:
            self.used = await asyncio.to_thread(measure.run)
        except OSError:  # somebody removed or locked the folder: there is nothing to count
            self.used = Usage()
        finally:
            measure.stop()
        return self.used

    def problem(self, used: Usage) -> str:
        """Say what is too much, "" for nothing."""
        if used.beyond:
            return f"the workspace has {used.beyond}"
        if self._most and used.bytes > self._most:
            return f"the workspace takes {size(used.bytes)}, and {size(self._most)} is the most"
        return ""

    async def _watch(self) -> None:
        """Look as long as there are guards, as often as is needed; a last time behind them."""
        least: Usage | None = None
        while self._sandbox.ended is None:
            last = not self._guards
            if self._first:
                least, self._first = None, False
            began, free = now(), self._free()
            used = await self.look()
            if last and not self._guards:
                return
            problem = self.problem(used)
            if problem and self._bad(used, least):
                await self._kill(problem)
                used, least = await self.look(), None
            least = used if least is None or used.bytes < least.bytes or not problem else least
            await self._pause(began, now() - began, free, used)

    def _bad(self, used: Usage, least: Usage | None) -> bool:
        """Whether what is too much cannot stay: it grew, or nobody can tell whether it does."""
        if used.beyond and any(not guard.person for guard in self._guards):
            return True
        if least is None:
            return False
        return used.bytes > least.bytes + SLACK_BYTES or (bool(used.beyond) and not least.beyond)

    async def _kill(self, problem: str) -> None:
        message = (
            f"{problem} (resources.disk of the policy). Every process in the sandbox was killed. Remove what is not "
            "needed, for example with `signet shell`, or allow more"
        )
        for guard in self._guards:
            guard.problem = guard.problem or message
        self._told(message)
        with contextlib.suppress(SandboxUnavailable):  # then they are dead as well
            await self._sandbox.clear()

    async def _pause(self, began: float, cost: float, free: int, used: Usage) -> None:
        """Wait until the next look is due: what is left could be used up, or the disk fills quickly."""
        left = max(self._most - used.bytes, 0) if self._most else RATE_BYTES * int(MOST_SECONDS)
        room = max(self._most_inodes - used.inodes, 0)
        soonest = min(left / RATE_BYTES, room / RATE_INODES, MOST_SECONDS)
        due = began + max(soonest, GLANCE_SECONDS, cost * SHARE)
        early = began + max(GLANCE_SECONDS, cost * 2)
        guarded = bool(self._guards)
        self._changed.clear()
        while (rest := due - now()) > 0 and bool(self._guards) == guarded:
            if now() >= early and free - self._free() > left // 2:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(rest, GLANCE_SECONDS)):
                    await self._changed.wait()
            self._changed.clear()

    def _free(self) -> int:
        try:
            found = os.statvfs(self._sandbox.spec.workspace)
        except OSError:
            return 0
        return found.f_bavail * found.f_frsize


def size(count: int) -> str:
    """Write bytes for people."""
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} bytes"
