"""The loop that finds what is over."""

import asyncio
from dataclasses import dataclass
from functools import partial

from control import approvals, reports
from control.bells import Bells
from control.leases import Fate, lose
from control.store import leases, sandboxes
from control.store.leases import Lease
from control.store.readers import Readers
from control.store.writer import Transaction, Writer
from signet.kit.errors import SignetError
from signet.kit.log import Log
from signet.kit.times import now_micros

_MICROS = 1_000_000


@dataclass(frozen=True)
class Sweeper:
    """Finds what is over and ends it: leases, questions, grants, and what lost workers reported."""

    readers: Readers
    writer: Writer
    bells: Bells
    log: Log
    lease_seconds: int
    max_attempts: int

    async def run(self) -> None:
        """Look every tenth of a lease, until cancelled. A store that does not work is tried again at the next look."""
        while True:
            await asyncio.sleep(min(1.0, self.lease_seconds / 10))
            try:
                await self.sweep()
            except SignetError as error:
                self.log.warning("sweep_failed", reason=error.reason)

    async def sweep(self) -> None:
        """Look once."""
        for lease in await self.readers.read(lambda connection: leases.expired(connection, now_micros())):
            fate = await self.writer.write(partial(self._end, lease))
            if fate:
                self.log.warning("lease_expired", run=lease.run, worker=lease.worker, fate=fate.value)
        if await self.readers.read(lambda connection: approvals.any_over(connection, now_micros())):
            ended = await self.writer.write(partial(approvals.expire, bells=self.bells))
            self.log.info("approvals_expired", count=ended)
        before = now_micros() - self.lease_seconds * _MICROS
        if await self.readers.read(lambda connection: sandboxes.of_lost(connection, before)):
            lost = await self.writer.write(partial(reports.forget_lost, seen_before=before, bells=self.bells))
            self.log.warning("sandboxes_forgotten", workers=lost)

    def _end(self, lease: Lease, transaction: Transaction) -> Fate | None:
        current = leases.get(transaction.connection, lease.run)
        if current is None or current.generation != lease.generation or current.expire_time > transaction.now:
            return None  # renewed or ended meanwhile
        return lose(transaction, current, self.max_attempts, self.bells)
