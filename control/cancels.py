"""Somebody asks a run to stop."""

from dataclasses import dataclass
from functools import partial

from control import endings
from control.bells import Bells
from control.lookup import no_run, run_in
from control.store import leases, runs
from control.store.writer import Transaction, Writer
from signet.kit.auth import current_caller
from signet.v1 import runs_pb2


@dataclass(frozen=True)
class Cancels:
    """Cancels runs: one that waits is CANCELLED at once, one in a worker's hands when its worker says so or is lost."""

    writer: Writer
    bells: Bells

    async def cancel(self, run: str) -> runs_pb2.Run:
        """Note that the caller of this RPC wants a run to stop. One that is final stays as it is. Raises NotFound."""
        return await self.writer.write(partial(self._cancel, run, current_caller().name))

    def _cancel(self, run: str, caller: str, transaction: Transaction) -> runs_pb2.Run:
        connection = transaction.connection
        row = runs.row(connection, run)
        if row is None:
            raise no_run(run)
        if row.final:
            return run_in(connection, run)
        if row.cancel_time is None:
            runs.change(connection, run, cancel_time=transaction.now, cancel_caller=caller)
        if row.state == runs_pb2.RUN_STATE_PENDING:
            return endings.cancel(transaction, run, self.bells)
        lease = leases.get(connection, run)
        if lease:
            transaction.after(partial(self.bells.ring, f"workers/{lease.worker}"))
        return run_in(connection, run)
