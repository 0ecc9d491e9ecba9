"""A worker takes a run: the oldest that waits, with a lease under the next generation."""

from dataclasses import dataclass
from functools import partial

from control.bells import Bells
from control.store import events, leases, runs, sessions, stamps, workers
from control.store.leases import Lease
from control.store.writer import Transaction
from signet.kit.auth import RunClaims, sign_run_token
from signet.kit.errors import FailedPrecondition
from signet.kit.times import stamp
from signet.v1 import events_pb2, runs_pb2
from signet.work.v1 import work_pb2

_TOKEN_GRACE_SECONDS = 60
_MICROS = 1_000_000


@dataclass(frozen=True)
class Terms:
    """What a claim is made under. `run_key` signs run tokens."""

    lease_seconds: int
    history_bytes: int
    run_key: bytes


def current(transaction: Transaction, worker: str, incarnation: str) -> workers.Worker:
    """Give a worker whose incarnation is the newest. Raises FailedPrecondition (LEASE_LOST) for another."""
    found = workers.get(transaction.connection, worker)
    if found is None or found.incarnation != incarnation:
        raise superseded(worker)
    return found


def superseded(worker: str) -> FailedPrecondition:
    """Say that an incarnation is not the newest."""
    return FailedPrecondition(
        "LEASE_LOST",
        f"this is not the newest incarnation of workers/{worker}: every lease it had is void",
        hint="kill its sandboxes and register again, under another name if two hosts share this one",
    )


def claim(
    transaction: Transaction, worker: str, incarnation: str, terms: Terms, bells: Bells
) -> work_pb2.Assignment | None:
    """Hand out a run, or None where none waits or the worker drains."""
    connection = transaction.connection
    holder = current(transaction, worker, incarnation)
    workers.seen(connection, worker, transaction.now)
    row = None if holder.draining else runs.claimable(connection, holder.runtimes)
    if row is None:
        return None
    lease = Lease(
        run=row.id,
        generation=row.generation + 1,
        worker=worker,
        incarnation=incarnation,
        expire_time=transaction.now + terms.lease_seconds * _MICROS,
    )
    leases.insert(connection, lease)
    sequence = _note(transaction, row, worker)
    runs.change(
        connection,
        row.id,
        state=runs_pb2.RUN_STATE_RUNNING,
        worker=worker,
        attempts=row.attempts + 1,
        generation=lease.generation,
        last_sequence=sequence,
        **({} if row.attempts else {"start_time": transaction.now}),
    )
    transaction.after(partial(bells.ring, row.name))
    return _assignment(transaction, row, lease, sequence + 1, terms)


def _note(transaction: Transaction, row: runs.Row, worker: str) -> int:
    """Write `claimed` and give its sequence."""
    sequence = row.last_sequence + 1
    claimed = events_pb2.RunClaimed(worker=f"workers/{worker}", attempt=row.attempts + 1)
    event = events_pb2.RunEvent(run=row.name, sequence=sequence, time=stamp(transaction.now), claimed=claimed)
    events.insert(transaction.connection, row.id, [event])
    return sequence


def _assignment(
    transaction: Transaction, row: runs.Row, lease: Lease, next_sequence: int, terms: Terms
) -> work_pb2.Assignment:
    connection = transaction.connection
    made = work_pb2.Assignment.FromString(stamps.body(connection, row.plan))
    made.run.CopyFrom(runs.get(connection, row.id) or runs_pb2.Run())
    made.lease.CopyFrom(work_pb2.Lease(run=row.name, generation=lease.generation, expire_time=stamp(lease.expire_time)))
    made.next_sequence = next_sequence
    made.history = "[]"
    if row.session:
        made.history = sessions.history(connection, row.session, before=row.id, limit_bytes=terms.history_bytes)
    made.run_token = sign_run_token(terms.run_key, _claims(transaction, row, lease, made))
    return made


def _claims(transaction: Transaction, row: runs.Row, lease: Lease, made: work_pb2.Assignment) -> RunClaims:
    models = (made.model.name, made.embedding_model)
    return RunClaims(
        run=row.name,
        agent=f"agents/{row.agent}",
        session=f"sessions/{row.session}" if row.session else "",
        models=tuple(name.removeprefix("models/") for name in models if name),
        generation=lease.generation,
        expires=transaction.now // _MICROS + made.limits.max_seconds + _TOKEN_GRACE_SECONDS,
    )
