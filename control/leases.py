"""What becomes of a run when its lease is lost."""

from enum import Enum
from functools import partial

from control import endings
from control.bells import PENDING, Bells
from control.store import events, leases, runs
from control.store.leases import Lease
from control.store.writer import Transaction
from signet.kit.errors import FailedPrecondition
from signet.kit.times import stamp
from signet.v1 import events_pb2, runs_pb2


class Fate(Enum):
    """What becomes of a run whose worker was lost."""

    RETRY = "retry"
    FAIL = "fail"
    CANCEL = "cancel"


def fate(*, cancel_requested: bool, tool_calls: int, attempts: int, max_attempts: int) -> Fate:
    """Decide. A run is tried again only where nothing it did can have had an effect: no tool call had started."""
    if cancel_requested:
        return Fate.CANCEL
    if tool_calls == 0 and attempts < max_attempts:
        return Fate.RETRY
    return Fate.FAIL


def fenced(transaction: Transaction, run: str, generation: int) -> tuple[runs.Row, Lease]:
    """Give a run and its lease to whoever holds it. Raises FailedPrecondition (LEASE_LOST) for anybody else."""
    lease = leases.get(transaction.connection, run)
    row = runs.row(transaction.connection, run)
    if row is None or lease is None or lease.generation != generation or lease.expire_time <= transaction.now:
        raise lost(run, generation)
    return row, lease


def lost(run: str, generation: int) -> FailedPrecondition:
    """Say that a lease is gone."""
    return FailedPrecondition(
        "LEASE_LOST",
        f"generation {generation} has no lease of runs/{run} any more",
        hint="kill its sandbox; another worker may have the run",
    )


def lose(transaction: Transaction, lease: Lease, max_attempts: int, bells: Bells) -> Fate | None:
    """End a lease whose holder is gone, and its run's attempt with it. None where the run was final or is another's."""
    connection = transaction.connection
    row = runs.row(connection, lease.run)
    leases.delete(connection, lease.run)
    if row is None or row.final:
        return None
    chosen = fate(
        cancel_requested=row.cancel_time is not None,
        tool_calls=row.tool_calls,
        attempts=row.attempts,
        max_attempts=max_attempts,
    )
    sequence = row.last_sequence + 1
    event = events_pb2.RunEvent(
        run=row.name,
        sequence=sequence,
        time=stamp(transaction.now),
        attempt_lost=events_pb2.AttemptLost(
            worker=f"workers/{lease.worker}", attempt=row.attempts, retried=chosen is Fate.RETRY
        ),
    )
    size = events.insert(connection, lease.run, [event])
    runs.change(
        connection,
        lease.run,
        last_sequence=sequence,
        event_bytes=row.event_bytes + size,
        generation=row.generation + 1,  # whatever the lost holder still says of the run is refused
    )
    if chosen is Fate.RETRY:
        endings.close(transaction, lease.run, bells)
        runs.change(connection, lease.run, state=runs_pb2.RUN_STATE_PENDING)
        transaction.after(partial(bells.ring, row.name))
        transaction.after(partial(bells.ring, PENDING))
    elif chosen is Fate.CANCEL:
        endings.cancel(transaction, lease.run, bells)
    else:
        endings.finish(transaction, lease.run, endings.Ending(error=_lost_error(lease, row)), bells)
    return chosen


def _lost_error(lease: Lease, row: runs.Row) -> runs_pb2.RunError:
    why = "a tool call had started, so it was not tried again" if row.tool_calls else "it was the last attempt"
    return runs_pb2.RunError(
        reason="WORKER_LOST",
        message=f"workers/{lease.worker} was lost in attempt {row.attempts}, and {why}. Run it again if that is safe",
    )
