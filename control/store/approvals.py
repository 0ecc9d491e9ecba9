"""Rows of approvals. Every change of one gives it the next revision, by which watchers find what is new to them."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from control.store.runs import FINAL
from control.store.schema import approvals as table
from control.store.schema import runs, sandboxes
from signet.v1 import approvals_pb2

_PENDING = approvals_pb2.APPROVAL_STATE_PENDING


@dataclass(frozen=True)
class Approval:
    """A question to a person. `ask` is a serialized signet.v1.Ask, `subject` what the same ask is found by.

    `run`, `worker` and `incarnation` are empty outside a run. `scope` and `hold_seconds` are of the answer.
    """

    id: str
    agent: str
    run: str
    session: str
    ask: bytes
    subject: str
    blast_radius: str
    state: int
    create_time: int
    expire_time: int
    worker: str
    incarnation: str
    end_time: int | None = None
    caller: str = ""
    scope: int = 0
    hold_seconds: int = 0
    grant: str = ""
    revision: int = 0


_GET = sa.select(table).where(table.c.id == sa.bindparam("of"))
_OF_RUN = sa.select(table).where(table.c.run == sa.bindparam("of"), table.c.state == _PENDING)
_NEXT = sa.select(sa.func.coalesce(sa.func.max(table.c.revision), 0) + 1)
_OVER = sa.select(table).where(table.c.state == _PENDING, table.c.expire_time <= sa.bindparam("now"))
_CONCERNED = sa.select(sandboxes.c.agent).where(sandboxes.c.worker == sa.bindparam("by"))
_ANSWERED = (
    sa.select(table)
    .where(
        table.c.end_time > sa.bindparam("since"),
        sa.or_(
            sa.and_(table.c.worker == sa.bindparam("by"), table.c.incarnation == sa.bindparam("as")),
            sa.and_(table.c.run == "", table.c.agent.in_(_CONCERNED)),
        ),
    )
    .order_by(table.c.end_time)
    .limit(1000)
)


def get(connection: sa.Connection, ident: str) -> Approval | None:
    """Give an approval."""
    row = connection.execute(_GET, {"of": ident}).one_or_none()
    return Approval(**row._asdict()) if row else None


def insert(connection: sa.Connection, approval: Approval) -> None:
    """Keep a new approval."""
    connection.execute(sa.insert(table), vars(approval) | {"revision": _next(connection)})


def change(connection: sa.Connection, ident: str, **values: Any) -> None:
    """Change columns of an approval."""
    of = sa.update(table).where(table.c.id == ident)
    connection.execute(of.values(revision=_next(connection), **values))


def same(connection: sa.Connection, *, agent: str, run: str, subject: str) -> list[Approval]:
    """Give what the same run asked of the same before, newest first, a few at most."""
    of = (table.c.agent == agent, table.c.run == run, table.c.subject == subject)
    return _all(connection, sa.select(table).where(*of).order_by(table.c.id.desc()).limit(5))


def pending_of_agent(connection: sa.Connection, agent: str) -> int:
    """Count what waits for an answer of an agent."""
    of = (table.c.agent == agent, table.c.state == _PENDING)
    return connection.execute(sa.select(sa.func.count()).where(*of)).scalar_one()


def left_behind(connection: sa.Connection, agent: str) -> list[Approval]:
    """Give what waits for an answer of an agent though the run that asked is over, oldest first."""
    of = (table.c.agent == agent, table.c.state == _PENDING, runs.c.id == table.c.run, runs.c.state.in_(FINAL))
    return _all(connection, sa.select(table).where(*of).order_by(table.c.id))


def pending_of_run(connection: sa.Connection, run: str) -> list[Approval]:
    """Give what a run waits for."""
    return _all(connection, _OF_RUN, of=run)


def pending(connection: sa.Connection, *, after: str, limit: int) -> list[Approval]:
    """Give what waits for an answer, oldest first, that after an id."""
    of = (table.c.state == _PENDING, table.c.id > after)
    return _all(connection, sa.select(table).where(*of).order_by(table.c.id).limit(limit))


def changed(connection: sa.Connection, *, after: int, limit: int) -> list[Approval]:
    """Give what changed after a revision, in the order of the changes; each as it now is."""
    query = sa.select(table).where(table.c.revision > after).order_by(table.c.revision).limit(limit)
    return _all(connection, query)


def revision(connection: sa.Connection) -> int:
    """Give the newest revision."""
    return _next(connection) - 1


def over(connection: sa.Connection, now: int) -> list[Approval]:
    """Give those that wait though their time is over."""
    return _all(connection, _OVER, now=now)


def answered_for(connection: sa.Connection, worker: str, incarnation: str, since: int) -> list[Approval]:
    """Give what was answered, or is over, since a time, of what this worker asked in its runs, or has sandboxes for."""
    return _all(connection, _ANSWERED, **{"since": since, "by": worker, "as": incarnation})


@dataclass(frozen=True)
class Filter:
    """Which approvals are listed. Empty fields do not filter; `before` is an id."""

    agent: str = ""
    states: tuple[int, ...] = ()
    before: str = ""


def page(connection: sa.Connection, wanted: Filter, limit: int) -> list[Approval]:
    """Give approvals, newest first."""
    query = sa.select(table).order_by(table.c.id.desc()).limit(limit)
    if wanted.agent:
        query = query.where(table.c.agent == wanted.agent)
    if wanted.states:
        query = query.where(table.c.state.in_(wanted.states))
    if wanted.before:
        query = query.where(table.c.id < wanted.before)
    return _all(connection, query)


def _next(connection: sa.Connection) -> int:
    found: int = connection.execute(_NEXT).scalar_one()
    return found


def _all(connection: sa.Connection, query: sa.Select[Any], **values: Any) -> list[Approval]:
    return [Approval(**row._asdict()) for row in connection.execute(query, values)]
