"""Gives waiting workers the runs that wait: a claim that finds none sleeps until one is made, or its time is over."""

import asyncio
from dataclasses import dataclass
from functools import partial

from control import claims
from control.bells import PENDING, Bells
from control.claims import Terms
from control.leases import lose
from control.store import leases
from control.store.writer import Transaction, Writer
from signet.kit.errors import SignetError, Unavailable
from signet.kit.log import Log
from signet.work.v1 import work_pb2


@dataclass(frozen=True)
class Scheduler:
    """Decides who gets which run, one claim at a time: the writer's order is the order of the claims."""

    writer: Writer
    bells: Bells
    terms: Terms
    max_attempts: int
    log: Log

    async def claim(self, worker: str, incarnation: str, wait_seconds: float) -> work_pb2.Assignment | None:
        """Wait for a run and take it; None when the time is over.

        Cancelled in the middle of taking one, it gives that one back. Raises FailedPrecondition (LEASE_LOST) for an
        incarnation that is not the newest, also while it waits, and Unavailable when control ends.
        """
        deadline = asyncio.get_running_loop().time() + wait_seconds
        with self.bells.listen(PENDING, f"workers/{worker}") as news:
            while not self.bells.closing:
                news.clear()
                assignment = await self._take(worker, incarnation)
                if assignment is not None:
                    return assignment
                try:
                    async with asyncio.timeout_at(deadline):
                        await news.wait()
                except TimeoutError:
                    return None
        raise Unavailable("SHUTTING_DOWN", "control is ending and hands out nothing", retry_after_seconds=1)

    async def _take(self, worker: str, incarnation: str) -> work_pb2.Assignment | None:
        change = partial(claims.claim, worker=worker, incarnation=incarnation, terms=self.terms, bells=self.bells)
        taking = asyncio.ensure_future(self.writer.write(change))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            await self._give_back(taking)
            raise

    async def _give_back(self, taking: "asyncio.Future[work_pb2.Assignment | None]") -> None:
        """Offer a run again that nobody is there to take. Its lease would end by itself, later."""
        try:
            assignment = await taking
            if assignment is not None:
                await self.writer.write(partial(self._end, assignment.lease))
        except SignetError as error:
            self.log.warning("claim_not_given_back", reason=error.reason)

    def _end(self, held: work_pb2.Lease, transaction: Transaction) -> None:
        lease = leases.get(transaction.connection, held.run.removeprefix("runs/"))
        if lease and lease.generation == held.generation:
            lose(transaction, lease, self.max_attempts, self.bells)
