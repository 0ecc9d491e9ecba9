"""Rows of events: protobuf bytes under run and sequence."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from control.store.schema import events as table
from signet.v1 import events_pb2

# Written out by SQLAlchemy once: with its own handling of parameters a row would cost twice as much.
_INSERT = str(sa.insert(table).compile(dialect=sqlite.dialect()))
_ALL = sa.select(table.c.payload).where(table.c.run == sa.bindparam("of")).order_by(table.c.sequence)
_AFTER = _ALL.where(table.c.sequence > sa.bindparam("after")).limit(sa.bindparam("most"))


def insert(connection: sa.Connection, run: str, events: Sequence[events_pb2.RunEvent]) -> int:
    """Keep events of a run and give their size in bytes."""
    rows = [(run, event.sequence, event.SerializeToString()) for event in events]
    if rows:
        connection.exec_driver_sql(_INSERT, rows)
    return sum(len(payload) for _, _, payload in rows)


def payloads(connection: sa.Connection, run: str, after: int, *, limit: int, limit_bytes: int) -> list[bytes]:
    """Give the next events after a sequence as they are stored; one at least, further ones within `limit_bytes`."""
    found: list[bytes] = []
    size = 0
    with connection.execute(_AFTER, {"of": run, "after": after, "most": limit}) as rows:
        for payload in rows.scalars():
            size += len(payload)
            if found and size > limit_bytes:
                break
            found.append(payload)
    return found


def all_of(connection: sa.Connection, run: str) -> Iterator[events_pb2.RunEvent]:
    """Give every event of a run, in order."""
    with connection.execute(_ALL, {"of": run}) as rows:
        for payload in rows.scalars():
            yield events_pb2.RunEvent.FromString(payload)
