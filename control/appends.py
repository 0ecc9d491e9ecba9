"""Events from workers: in order, each once, and only from whoever holds the lease."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from control import tally
from control.bells import Bells
from control.leases import fenced
from control.store import events, runs
from control.store.writer import Transaction
from signet.kit.errors import FailedPrecondition, ResourceExhausted, invalid
from signet.v1 import events_pb2

MAX_EVENTS = 512
"""Events in one request."""

MAX_BYTES = 3 * 1024 * 1024
"""Bytes of the events in one request."""

_LAST_SECOND = 253_402_300_799  # the end of the year 9999: what a protobuf time can be written as
_NANOS = 1_000_000_000
_MOST_USED = 1 << 40  # of tokens or micro-USD in one call: so many of them can still be summed

_OURS = {"created", "claimed", "attempt_lost", "finished"}


@dataclass(frozen=True)
class Batch:
    """Checked events of one run, and the generation of the lease that they were sent under."""

    run: str
    generation: int
    events: Sequence[events_pb2.RunEvent]


@dataclass(frozen=True)
class Bounds:
    """What one run may hold."""

    events: int
    bytes: int


def check(run: str, generation: int, found: Sequence[events_pb2.RunEvent]) -> Batch:
    """See that a batch is well-formed, and name run and generation in each event. Raises InvalidArgument."""
    name = f"runs/{run}"
    if len(found) > MAX_EVENTS:
        raise invalid(("events", f"must be at most {MAX_EVENTS}, not {len(found)}"))
    size = sum(event.ByteSize() for event in found)
    if size > MAX_BYTES:
        raise invalid(("events", f"must be at most {MAX_BYTES} bytes together, not {size}"))
    first = found[0].sequence if found else 1
    problems = [
        (f"events[{index}].{field}", why)
        for index, event in enumerate(found)
        for field, why in _problems(event, name, generation, first + index)
    ]
    if problems:
        raise invalid(*problems[:20])
    for event in found:
        event.run = name
        event.generation = generation
    return Batch(run, generation, found)


def _problems(event: events_pb2.RunEvent, run: str, generation: int, expected: int) -> list[tuple[str, str]]:
    problems: list[tuple[str, str]] = []
    kind = event.WhichOneof("kind")
    if kind is None:
        problems.append(("kind", "exactly one kind must be set"))
    elif kind in _OURS:
        problems.append(("kind", f"`{kind}` is written by control alone"))
    if event.sequence != expected or event.sequence < 1:
        problems.append(("sequence", f"must be {max(expected, 1)}: from 1, without gaps, not {event.sequence}"))
    if event.run and event.run != run:
        problems.append(("run", f"must be {run}, as the lease says, not {event.run!r}"))
    if event.generation not in (0, generation):
        problems.append(("generation", f"must be {generation}, as the lease says, not {event.generation}"))
    if not 0 < event.time.seconds <= _LAST_SECOND or not 0 <= event.time.nanos < _NANOS:
        problems.append(("time", "must be set, to a time from 1970 to 9999"))
    used = event.model_call_finished.usage
    if kind == "model_call_finished" and not all(0 <= number <= _MOST_USED for _, number in used.ListFields()):
        problems.append(("model_call_finished.usage", f"must have numbers of 0 to {_MOST_USED}"))
    return problems


def append(transaction: Transaction, batch: Batch, bells: Bells, bounds: Bounds | None) -> int:
    """Keep checked events of a run and give its newest sequence; those it has already are passed over.

    Raises FailedPrecondition (LEASE_LOST, SEQUENCE_GAP), and ResourceExhausted (LIMIT_REACHED) beyond the bounds.
    """
    row, _ = fenced(transaction, batch.run, batch.generation)
    new = [event for event in batch.events if event.sequence > row.last_sequence]
    if not new:
        return row.last_sequence
    if new[0].sequence != row.last_sequence + 1:
        raise FailedPrecondition(
            "SEQUENCE_GAP",
            f"{row.name} has events up to {row.last_sequence}, and the next one sent is {new[0].sequence}",
            hint=f"send again from {row.last_sequence + 1}",
        )
    for event in new:
        if event.HasField("cancel_requested"):
            event.cancel_requested.caller = row.cancel_caller
    last = new[-1].sequence
    size = events.insert(transaction.connection, batch.run, new)
    if bounds and (last > bounds.events or row.event_bytes + size > bounds.bytes):
        raise ResourceExhausted(
            "LIMIT_REACHED",
            f"{row.name} may have {bounds.events} events of {bounds.bytes} bytes in all, and has {row.last_sequence} "
            f"of {row.event_bytes}",
            hint="finish the run; the bounds are control's options max_run_events and max_run_bytes",
        )
    runs.grow(transaction.connection, batch.run, last, size, tally.of(new))
    transaction.after(partial(bells.ring, row.name))
    return last
