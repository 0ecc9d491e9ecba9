"""A worker takes a run: the oldest that waits, with a lease under the next generation."""

from dataclasses import dataclass
from functools import partial

from control import effective, endings
from control.bells import Bells
from control.effective import Effective
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
    if holder.draining:
        return None
    while (row := runs.claimable(connection, holder.runtimes)) is not None:
        policy = effective.of(connection, row.agent, transaction.now)
        if policy is not None:
            lease = _lease(transaction, row, holder, terms)
            transaction.after(partial(bells.ring, row.name))
            return _assignment(transaction, row, lease, policy, terms)
        error = runs_pb2.RunError(reason="SANDBOX_FAILED", message=effective.nothing(row.agent).message)
        endings.finish(transaction, row.id, endings.Ending(error=error), bells)
    return None


def _lease(transaction: Transaction, row: runs.Row, holder: workers.Worker, terms: Terms) -> Lease:
    """Give a run into a worker's hands."""
    lease = Lease(
        run=row.id,
        generation=row.generation + 1,
        worker=holder.id,
        incarnation=holder.incarnation,
        expire_time=transaction.now + terms.lease_seconds * _MICROS,
    )
    leases.insert(transaction.connection, lease)
    runs.change(
        transaction.connection,
        row.id,
        state=runs_pb2.RUN_STATE_RUNNING,
        worker=holder.id,
        attempts=row.attempts + 1,
        generation=lease.generation,
        **({} if row.attempts else {"start_time": transaction.now}),
    )
    return lease


def _assignment(
    transaction: Transaction, row: runs.Row, lease: Lease, policy: Effective, terms: Terms
) -> work_pb2.Assignment:
    connection = transaction.connection
    made = work_pb2.Assignment.FromString(stamps.body(connection, row.plan))
    last = _note(transaction, row, lease.worker, _changed(made, policy))
    made.run.CopyFrom(runs.get(connection, row.id) or runs_pb2.Run())
    made.lease.CopyFrom(work_pb2.Lease(run=row.name, generation=lease.generation, expire_time=stamp(lease.expire_time)))
    made.next_sequence = last + 1
    made.history = "[]"
    if row.session:
        made.history = sessions.history(connection, row.session, before=row.id, limit_bytes=terms.history_bytes)
    if policy.version.wall_seconds:
        made.limits.max_seconds = min(made.limits.max_seconds, policy.version.wall_seconds)
    claims = _claims(transaction, row, lease, made, policy.apis)
    made.run_token = sign_run_token(terms.run_key, claims)
    made.policy.CopyFrom(policy.order(terms.run_key, transaction.now, claims))
    return made


def _changed(made: work_pb2.Assignment, policy: Effective) -> events_pb2.PolicyLoaded | None:
    """Say what is in force, where that is more or other than the version that the run's stamp was taken of."""
    stamped = (made.policy.policy.policy, made.policy.policy.version)
    name = f"policies/{policy.version.policy}"
    if stamped == (name, policy.version.version) and not policy.grants:
        return None
    return events_pb2.PolicyLoaded(policy=name, version=policy.version.version, digest=policy.digest)


def _note(transaction: Transaction, row: runs.Row, worker: str, changed: events_pb2.PolicyLoaded | None) -> int:
    """Write `claimed`, and what is in force beyond the stamp; gives the last sequence."""
    claimed = events_pb2.RunClaimed(worker=f"workers/{worker}", attempt=row.attempts + 1)
    found = [events_pb2.RunEvent(claimed=claimed)]
    if changed:
        found.append(events_pb2.RunEvent(policy_loaded=changed))
    for offset, event in enumerate(found, start=1):
        event.run, event.sequence = row.name, row.last_sequence + offset
        event.time.CopyFrom(stamp(transaction.now))
    size = events.insert(transaction.connection, row.id, found)
    last = row.last_sequence + len(found)
    runs.change(transaction.connection, row.id, last_sequence=last, event_bytes=row.event_bytes + size)
    return last


def _claims(
    transaction: Transaction, row: runs.Row, lease: Lease, made: work_pb2.Assignment, apis: tuple[str, ...]
) -> RunClaims:
    models = (made.model.name, made.embedding_model)
    return RunClaims(
        run=row.name,
        agent=f"agents/{row.agent}",
        session=f"sessions/{row.session}" if row.session else "",
        models=tuple(name.removeprefix("models/") for name in models if name),
        generation=lease.generation,
        expires=transaction.now // _MICROS + made.limits.max_seconds + _TOKEN_GRACE_SECONDS,
        apis=apis,
        user=row.caller,
        issued=transaction.now // _MICROS,
    )
