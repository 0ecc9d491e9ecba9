"""Rows of events: protobuf bytes under run and sequence."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from control.store.schema import events as table
from signet.v1 import events_pb2


def insert(connection: sa.Connection, run: str, events: Sequence[events_pb2.RunEvent]) -> int:
    """Keep events of a run and give their size in bytes."""
    payloads = [event.SerializeToString() for event in events]
    if payloads:
        rows = [
            {"run": run, "sequence": event.sequence, "payload": payload}
            for event, payload in zip(events, payloads, strict=True)
        ]
        connection.execute(sa.insert(table), rows)
    return sum(map(len, payloads))


def payloads(connection: sa.Connection, run: str, after: int, *, limit: int, limit_bytes: int) -> list[bytes]:
    """Give the next events after a sequence as they are stored; one at least, further ones within `limit_bytes`."""
    query = (
        sa.select(table.c.payload)
        .where(table.c.run == run, table.c.sequence > after)
        .order_by(table.c.sequence)
        .limit(limit)
    )
    found: list[bytes] = []
    size = 0
    with connection.execute(query) as rows:
        for payload in rows.scalars():
            size += len(payload)
            if found and size > limit_bytes:
                break
            found.append(payload)
    return found


def all_of(connection: sa.Connection, run: str) -> Iterator[events_pb2.RunEvent]:
    """Give every event of a run, in order."""
    query = sa.select(table.c.payload).where(table.c.run == run).order_by(table.c.sequence)
    with connection.execute(query) as rows:
        for payload in rows.scalars():
            yield events_pb2.RunEvent.FromString(payload)
