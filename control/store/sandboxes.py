"""Rows of sandboxes, as workers last reported them."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from control.store.schema import sandboxes as table
from control.store.schema import workers

STOP, STOP_FORCED = 1, 2
"""Values of `stop`: somebody asked for its end; and for that of a run in it."""


@dataclass(frozen=True)
class Sandbox:
    """An open sandbox. `payload` is a serialized signet.v1.Sandbox.

    `problem_version` is what policy_problem is about, `stop` whether somebody asked for its end.
    """

    id: str
    worker: str
    agent: str
    run: str
    state: int
    policy: str
    policy_version: int
    policy_digest: str
    policy_problem: str
    problem_version: int
    open_time: int
    payload: bytes
    stop: int = 0


_GET = sa.select(table).where(table.c.id == sa.bindparam("of"))
_OF_WORKER = sa.select(table).where(table.c.worker == sa.bindparam("of")).order_by(table.c.id)
_KEEP = insert(table)
_KEEP = _KEEP.on_conflict_do_update(
    index_elements=[table.c.id],
    set_={name: _KEEP.excluded[name] for name in Sandbox.__dataclass_fields__ if name not in {"id", "stop"}},
)


def get(connection: sa.Connection, ident: str) -> Sandbox | None:
    """Give a sandbox."""
    row = connection.execute(_GET, {"of": ident}).one_or_none()
    return Sandbox(**row._asdict()) if row else None


def names(connection: sa.Connection) -> list[str]:
    """Give the ids of the sandboxes, at most 1000: for "did you mean"."""
    return list(connection.execute(sa.select(table.c.id).limit(1000)).scalars())


def page(connection: sa.Connection, *, after: str, limit: int, agent: str) -> list[Sandbox]:
    """Give sandboxes by id, those after one; of one agent where it is given."""
    query = sa.select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
    return _all(connection, query.where(table.c.agent == agent) if agent else query)


def of_worker(connection: sa.Connection, worker: str) -> list[Sandbox]:
    """Give what a worker reported."""
    return [Sandbox(**row._asdict()) for row in connection.execute(_OF_WORKER, {"of": worker})]


def of_agent(connection: sa.Connection, agent: str) -> list[Sandbox]:
    """Give an agent's sandboxes, newest first, at most 100."""
    of = sa.select(table).where(table.c.agent == agent)
    return _all(connection, of.order_by(table.c.open_time.desc(), table.c.id.desc()).limit(100))


def keep(connection: sa.Connection, found: list[Sandbox]) -> None:
    """Keep sandboxes as they now are; whether one is to be stopped stays as it was."""
    if found:
        connection.execute(_KEEP, [vars(sandbox) for sandbox in found])


def delete(connection: sa.Connection, idents: list[str]) -> None:
    """Forget sandboxes that are gone."""
    if idents:
        gone = sa.delete(table).where(table.c.id == sa.bindparam("of"))
        connection.execute(gone, [{"of": ident} for ident in idents])


def forget_worker(connection: sa.Connection, worker: str) -> int:
    """Forget all that a worker reported; gives how many that were."""
    return connection.execute(sa.delete(table).where(table.c.worker == worker)).rowcount


def set_stop(connection: sa.Connection, ident: str, stop: int) -> None:
    """Note that somebody asked for a sandbox's end."""
    connection.execute(sa.update(table).where(table.c.id == ident).values(stop=stop))


def of_lost(connection: sa.Connection, seen_before: int) -> list[str]:
    """Name the workers that have sandboxes here and were not heard from since a time."""
    query = sa.select(table.c.worker).distinct().join(workers, workers.c.id == table.c.worker)
    return list(connection.execute(query.where(workers.c.last_seen_time < seen_before)).scalars())


def _all(connection: sa.Connection, query: sa.Select[Any]) -> list[Sandbox]:
    return [Sandbox(**row._asdict()) for row in connection.execute(query)]
