"""Leases: the right to a run, renewed at a third of its time, given up before it ends."""

import asyncio
import contextlib
from collections.abc import Callable

from signet.kit.errors import SignetError
from signet.kit.log import Log
from signet.work.v1 import work_pb2
from workers.backoff import Backoff
from workers.clock import now
from workers.control import Control, stale

LOOK_SECONDS = 1.0
"""How often remaining times are looked at, at least: the host may have slept."""
MARGIN_SECONDS = 0.5
"""Least time before a lease's end at which its sandbox is killed."""


class Held:
    """The right to one run. `lost` is set, with `why`, as soon as nothing may be done under it any more."""

    def __init__(self, run: str, generation: int, until: float) -> None:
        self.run = run
        self.generation = generation
        self.lost = asyncio.Event()
        self.why = ""
        self._until = until

    def proto(self) -> work_pb2.Lease:
        """Give it as control wants it."""
        return work_pb2.Lease(run=self.run, generation=self.generation)

    def remaining(self) -> float:
        """Tell how many seconds it still holds; 0 where it is lost."""
        return 0.0 if self.lost.is_set() else max(self._until - now(), 0.0)

    def extend(self, until: float) -> None:
        """Let it hold longer."""
        self._until = max(self._until, until)

    def lose(self, why: str) -> None:
        """Give it up, once."""
        if not self.lost.is_set():
            self.why = why
            self.lost.set()


class Keeper:
    """Renews every held lease, and loses those that it could not renew in time: kill first, then let control go on."""

    def __init__(
        self,
        control: Control,
        sandboxes: Callable[[], int],
        log: Log,
    ) -> None:
        self._control = control
        self._sandboxes = sandboxes
        self._log = log
        self._held: dict[str, Held] = {}
        self._seconds = 10.0
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._due = 0.0
        self.stale = asyncio.Event()
        self.stale.set()
        """Set when control does not know this incarnation any more: register again."""

    def terms(self, lease_seconds: float) -> None:
        """Take the terms of a registration."""
        self._seconds = lease_seconds
        self.stale.clear()
        self._changed.set()

    def hold(self, run: str, generation: int, asked: float) -> Held:
        """Keep a lease whose time is counted from `asked`, when the claim was sent."""
        held = Held(run, generation, asked + self._seconds)
        self._held[run] = held
        self._due = min(self._due, asked + self._seconds / 3)
        self._changed.set()
        self._taken.set()
        return held

    def release(self, held: Held) -> None:
        """Keep it no longer."""
        if self._held.get(held.run) is held:
            del self._held[held.run]

    def lose_all(self, why: str) -> None:
        """Give up everything."""
        for held in self._held.values():
            held.lose(why)

    async def run(self, obey: Callable[[work_pb2.Directive], None]) -> None:
        """Renew, and pass on what control tells; fence; until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew(obey))
            group.create_task(self._fence())

    async def _renew(self, obey: Callable[[work_pb2.Directive], None]) -> None:
        backoff = Backoff(first=0.1, most=1.0)
        while True:
            await _wait(self._changed, self._due - now())
            if self.stale.is_set():
                self._due = now() + LOOK_SECONDS
                continue
            asked = now()
            try:
                answer = await self._control.renew(
                    [held.proto() for held in self._held.values()], self._sandboxes(), max(self._seconds / 3, 1.0)
                )
            except SignetError as error:
                self._refused(error)
                self._due = now() + backoff.next()
                continue
            backoff.reset()
            self._due = asked + self._seconds / 3
            self._renewed(asked, set(answer.lost))
            for directive in answer.directives:
                obey(directive)

    def _refused(self, error: SignetError) -> None:
        if stale(error):
            self.lose_all("this worker is registered anew elsewhere")
            self.stale.set()
        elif self._held:
            self._log.warning("renewal_failed", reason=error.reason, leases=len(self._held))

    def _renewed(self, asked: float, lost: set[str]) -> None:
        for held in list(self._held.values()):
            if held.run in lost:
                held.lose("control gave the run to another or ended it")
            else:
                held.extend(asked + self._seconds)

    async def _fence(self) -> None:
        while True:
            margin = max(MARGIN_SECONDS, self._seconds / 10)
            nearest = LOOK_SECONDS
            for held in self._held.values():
                if held.lost.is_set():
                    continue
                left = held.remaining() - margin
                if left <= 0:
                    held.lose("its lease could not be renewed in time")
                    self._log.error("lease_fenced", run=held.run)
                else:
                    nearest = min(nearest, left)
            await _wait(self._taken, nearest)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, not longer than that, and clear it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(seconds, 0)):
            await event.wait()
    event.clear()
