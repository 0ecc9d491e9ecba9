"""Rows of workers."""

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from control.store.schema import leases
from control.store.schema import workers as table


@dataclass(frozen=True)
class Worker:
    """A host's daemon as control knows it. `isolation` is a serialized signet.v1.IsolationReport."""

    id: str
    incarnation: str
    host: str
    version: str
    capacity: int
    runtimes: tuple[str, ...]
    isolation: bytes
    sandboxes: int
    last_seen_time: int
    draining: bool
    active_runs: int


_ACTIVE = sa.select(sa.func.count()).where(leases.c.worker == table.c.id).scalar_subquery().label("active_runs")
_GET = sa.select(table, _ACTIVE).where(table.c.id == sa.bindparam("of"))
_CHANGE = sa.update(table).where(table.c.id == sa.bindparam("of"))


def get(connection: sa.Connection, ident: str) -> Worker | None:
    """Give a worker."""
    row = connection.execute(_GET, {"of": ident}).one_or_none()
    return _worker(row) if row else None


def names(connection: sa.Connection) -> list[str]:
    """Give the ids of the workers, at most 1000: for "did you mean"."""
    return list(connection.execute(sa.select(table.c.id).limit(1000)).scalars())


def page(connection: sa.Connection, *, after: str, limit: int) -> list[Worker]:
    """Give workers by id, those after one."""
    query = sa.select(table, _ACTIVE).where(table.c.id > after).order_by(table.c.id).limit(limit)
    return [_worker(row) for row in connection.execute(query)]


def keep(connection: sa.Connection, worker: Worker) -> None:
    """Keep a new worker, or the new incarnation of a known one; whether it drains stays as it was."""
    values: dict[str, Any] = {
        "incarnation": worker.incarnation,
        "host": worker.host,
        "version": worker.version,
        "capacity": worker.capacity,
        "runtimes": json.dumps(worker.runtimes),
        "isolation": worker.isolation,
        "sandboxes": worker.sandboxes,
        "last_seen_time": worker.last_seen_time,
    }
    statement = insert(table).values(id=worker.id, draining=worker.draining, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[table.c.id], set_=values))


def seen(connection: sa.Connection, ident: str, now: int, sandboxes: int | None = None) -> None:
    """Note that a worker was heard from, and how many sandboxes it said it has."""
    more = {} if sandboxes is None else {"sandboxes": sandboxes}
    connection.execute(_CHANGE, {"of": ident, "last_seen_time": now, **more})


def set_draining(connection: sa.Connection, ident: str, *, draining: bool) -> None:
    """Note whether a worker is to take nothing new."""
    connection.execute(sa.update(table).where(table.c.id == ident).values(draining=draining))


def _worker(row: sa.Row[Any]) -> Worker:
    values = row._asdict()
    return Worker(**values | {"runtimes": tuple(json.loads(values["runtimes"]))})
