"""How a run ends: its last events, its final state, and its record sealed, all in one transaction."""

from dataclasses import dataclass
from functools import partial

from control import record
from control.bells import APPROVALS, ORDERS, PENDING, Bells
from control.questions import COMMAND
from control.store import approvals, events, grants, leases, runs, stamps
from control.store.writer import Transaction
from signet.kit.errors import NotFound
from signet.kit.times import stamp
from signet.v1 import approvals_pb2, events_pb2, runs_pb2

CANCELLED = runs_pb2.RunError(reason="CANCELLED", message="the run was cancelled")


@dataclass(frozen=True)
class Ending:
    """How it ended: an error or none, what it answered, and the JSON array of messages it adds to its session."""

    outcome: "runs_pb2.RunState" = runs_pb2.RUN_STATE_FAILED
    error: runs_pb2.RunError | None = None
    output: str = ""
    messages: str = ""


def finish(transaction: Transaction, ident: str, ending: Ending, bells: Bells) -> runs_pb2.Run:
    """Make a run final: write `finished`, take its record's digest, end its lease."""
    connection = transaction.connection
    row = runs.row(connection, ident)
    run = runs.get(connection, ident)
    if row is None or run is None:
        raise NotFound("RUN_NOT_FOUND", f"there is no runs/{ident}")
    last = _last_events(transaction, row, run, ending)
    size = events.insert(connection, ident, last)
    leases.delete(connection, ident)
    close(transaction, ident, bells, COMMAND)
    if grants.end_of_subject(connection, run.name, transaction.now):
        transaction.after(partial(bells.ring, ORDERS))
    _end(run, ending, last[-1])
    made = record.build(run, events.all_of(connection, ident), stamps.texts(connection, run.stamp))
    run.record_digest = record.seal(made)
    runs.change(
        connection,
        ident,
        state=run.state,
        reason=run.error.reason,
        message=run.error.message,
        end_time=transaction.now,
        last_sequence=run.last_sequence,
        event_bytes=row.event_bytes + size,
        record_digest=run.record_digest,
    )
    runs.conclude(connection, ident, output=ending.output, messages=ending.messages)
    transaction.after(partial(bells.ring, run.name))
    if row.session:
        transaction.after(partial(bells.ring, PENDING))  # the session's next run may begin
    return run


def close(transaction: Transaction, ident: str, bells: Bells, kind: str = "") -> None:
    """End the questions of a run, those of one kind alone where it is given.

    A connection that was asked for is of use to the next run too, so those of a run that ends stay until their time.
    """
    found = approvals.pending_of_run(transaction.connection, ident)
    waiting = [approval for approval in found if approval.subject.startswith(kind)]
    for approval in waiting:
        state = approvals_pb2.APPROVAL_STATE_EXPIRED
        approvals.change(transaction.connection, approval.id, state=state, end_time=transaction.now)
    if waiting:
        transaction.after(partial(bells.ring, APPROVALS))


def _end(run: runs_pb2.Run, ending: Ending, finished: events_pb2.RunEvent) -> None:
    """Say in the run what the store will say of it."""
    run.state = ending.outcome
    run.output = ending.output
    run.last_sequence = finished.sequence
    run.end_time.CopyFrom(finished.time)
    if ending.error:
        run.error.CopyFrom(ending.error)


def cancel(transaction: Transaction, ident: str, bells: Bells) -> runs_pb2.Run:
    """Make a run CANCELLED."""
    return finish(transaction, ident, Ending(outcome=runs_pb2.RUN_STATE_CANCELLED, error=CANCELLED), bells)


def _last_events(
    transaction: Transaction, row: runs.Row, before: runs_pb2.Run, ending: Ending
) -> list[events_pb2.RunEvent]:
    """Give the events that control adds: who asked for a cancel where no event says so yet, and the end."""
    found: list[events_pb2.RunEvent] = []
    sequence = row.last_sequence + 1
    if row.cancel_time is not None and not row.cancel_noted:
        asked = events_pb2.CancelRequested(caller=row.cancel_caller)
        found.append(
            events_pb2.RunEvent(run=row.name, sequence=sequence, time=stamp(row.cancel_time), cancel_requested=asked)
        )
        sequence += 1
    error = ending.error or runs_pb2.RunError()
    finished = events_pb2.RunFinished(
        outcome=runs_pb2.RunState.Name(ending.outcome).removeprefix("RUN_STATE_"),
        output=ending.output,
        reason=error.reason,
        message=error.message,
        usage=before.usage,
    )
    found.append(events_pb2.RunEvent(run=row.name, sequence=sequence, time=stamp(transaction.now), finished=finished))
    return found
