"""What control does with workers: register an incarnation, keep its leases, tell it what to do."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

from control.bells import ORDERS, PENDING, Bells
from control.claims import current
from control.leases import lose
from control.orders import NOTHING, Desk, Orders
from control.store import leases, sandboxes, workers
from control.store.readers import Readers
from control.store.workers import Worker
from control.store.writer import Transaction, Writer
from signet.kit.errors import Unavailable
from signet.work.v1 import work_pb2

_MICROS = 1_000_000


@dataclass(frozen=True)
class Fleet:
    """The workers, as they say they are."""

    readers: Readers
    writer: Writer
    bells: Bells
    desk: Desk
    lease_seconds: int
    max_attempts: int

    async def register(self, worker: Worker) -> int:
        """Begin an incarnation: what an earlier one of the same name held is void at once. Gives how many that were."""
        return await self.writer.write(partial(self._register, worker))

    async def renew(
        self, worker: str, incarnation: str, held: Sequence[tuple[str, int]], count: int
    ) -> tuple[list[str], Orders]:
        """Keep the leases of an incarnation. Gives the runs it has lost, and its orders.

        `held` are run ids and generations, `count` its sandboxes. Raises FailedPrecondition (LEASE_LOST) for an older
        incarnation.
        """
        lost = await self.writer.write(partial(self._renew, worker, incarnation, tuple(held), count))
        return lost, await self.orders(worker, incarnation)

    async def orders(self, worker: str, incarnation: str) -> Orders:
        """Say what a worker is to do now. Raises FailedPrecondition (LEASE_LOST) for an older incarnation."""
        found = await self.readers.read(partial(self.desk.read, worker=worker, incarnation=incarnation))
        return self.desk.with_callers(found, worker)

    async def directives(self, worker: str, incarnation: str) -> AsyncIterator[work_pb2.Directive]:
        """Tell a worker what to do, as it comes; raises FailedPrecondition (LEASE_LOST) once there is a newer one."""
        told = NOTHING
        with self.bells.listen(f"workers/{worker}", ORDERS) as news:
            while not self.bells.closing:
                news.clear()
                orders = await self.orders(worker, incarnation)
                for directive in orders.beyond(told):
                    yield directive
                told = orders
                await news.wait()
        raise Unavailable("SHUTTING_DOWN", "control is ending", retry_after_seconds=1)

    async def drain(self, worker: str, *, draining: bool) -> None:
        """Have a worker take nothing new, or something again."""
        await self.writer.write(partial(self._drain, worker, draining=draining))

    def _register(self, worker: Worker, transaction: Transaction) -> int:
        connection = transaction.connection
        void = [lease for lease in leases.of_worker(connection, worker.id) if lease.incarnation != worker.incarnation]
        workers.keep(connection, worker)
        sandboxes.forget_worker(connection, worker.id)  # it reports those that it still has
        for lease in void:
            lose(transaction, lease, self.max_attempts, self.bells)
        transaction.after(partial(self.bells.ring, f"workers/{worker.id}"))
        return len(void)

    def _renew(
        self, worker: str, incarnation: str, held: tuple[tuple[str, int], ...], count: int, transaction: Transaction
    ) -> list[str]:
        connection = transaction.connection
        current(transaction, worker, incarnation)
        workers.seen(connection, worker, transaction.now, count)
        lost: list[str] = []
        for run, generation in held:
            lease = leases.get(connection, run)
            if lease is None or (lease.worker, lease.incarnation, lease.generation) != (
                worker,
                incarnation,
                generation,
            ):
                lost.append(run)
            elif lease.expire_time <= transaction.now:
                lost.append(run)  # its time is over, though nobody has noticed yet
            else:
                leases.extend(connection, run, transaction.now + self.lease_seconds * _MICROS)
        return lost

    def _drain(self, worker: str, transaction: Transaction, *, draining: bool) -> None:
        workers.set_draining(transaction.connection, worker, draining=draining)
        transaction.after(partial(self.bells.ring, f"workers/{worker}"))
        transaction.after(partial(self.bells.ring, PENDING))
