"""Rows of leases: who holds a run, under which generation, until when."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from control.store.schema import leases as table
from control.store.schema import runs


@dataclass(frozen=True)
class Lease:
    """The right to a run. `expire_time` is microseconds by control's clock."""

    run: str
    generation: int
    worker: str
    incarnation: str
    expire_time: int


# Built once: building a statement costs four times as much as running it.
_OF_RUN = table.c.run == sa.bindparam("of")
_GET = sa.select(table).where(_OF_RUN)
_INSERT = sa.insert(table)
_CHANGE = sa.update(table).where(_OF_RUN)
_DELETE = sa.delete(table).where(_OF_RUN)


def get(connection: sa.Connection, run: str) -> Lease | None:
    """Give the lease of a run that is in a worker's hands."""
    row = connection.execute(_GET, {"of": run}).one_or_none()
    return Lease(**row._asdict()) if row else None


def insert(connection: sa.Connection, lease: Lease) -> None:
    """Keep a new lease."""
    connection.execute(_INSERT, vars(lease))


def extend(connection: sa.Connection, run: str, expire_time: int) -> None:
    """Let a lease hold until a later time."""
    connection.execute(_CHANGE, {"of": run, "expire_time": expire_time})


def delete(connection: sa.Connection, run: str) -> None:
    """End a lease."""
    connection.execute(_DELETE, {"of": run})


def expired(connection: sa.Connection, now: int) -> list[Lease]:
    """Give the leases whose time is over."""
    return _all(connection, sa.select(table).where(table.c.expire_time <= now))


def of_worker(connection: sa.Connection, worker: str) -> list[Lease]:
    """Give the leases that a worker holds, whatever its incarnation."""
    return _all(connection, sa.select(table).where(table.c.worker == worker))


def cancelled(connection: sa.Connection, worker: str, incarnation: str) -> list[str]:
    """Give the runs in this incarnation's hands that somebody asked to cancel."""
    query = (
        sa.select(table.c.run)
        .join(runs, runs.c.id == table.c.run)
        .where(table.c.worker == worker, table.c.incarnation == incarnation, runs.c.cancel_time.is_not(None))
        .order_by(table.c.run)
    )
    return list(connection.execute(query).scalars())


def _all(connection: sa.Connection, query: sa.Select[Any]) -> list[Lease]:
    return [Lease(**row._asdict()) for row in connection.execute(query)]
