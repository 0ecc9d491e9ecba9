"""Rows of grants."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from control.store.schema import grants as table


@dataclass(frozen=True)
class Grant:
    """A permission beyond the policy. `ask` is a serialized signet.v1.Ask, `covers` what it is found by.

    Times are microseconds.
    """

    id: str
    agent: str
    scope: int
    subject: str
    ask: bytes
    covers: str
    caller: str
    create_time: int
    expire_time: int | None
    approval: str
    revoke_time: int | None = None
    revoke_caller: str = ""
    ended: bool = False

    def holds(self, now: int) -> bool:
        """Whether it is in force."""
        return self.revoke_time is None and (self.expire_time is None or self.expire_time > now)


_GET = sa.select(table).where(table.c.id == sa.bindparam("of"))
_HOLDS = (
    table.c.revoke_time.is_(None),
    sa.or_(table.c.expire_time.is_(None), table.c.expire_time > sa.bindparam("now")),
)
_OF_AGENTS = (
    sa.select(table)
    .where(table.c.agent.in_(sa.bindparam("of", expanding=True)), table.c.ended.is_(False), *_HOLDS)
    .order_by(table.c.id)
)


_END = sa.update(table).where(table.c.subject == sa.bindparam("of"), table.c.ended.is_(False)).values(ended=True)
_END = _END.values(expire_time=sa.bindparam("expire_time"))


def get(connection: sa.Connection, ident: str) -> Grant | None:
    """Give a grant, also one that is over."""
    row = connection.execute(_GET, {"of": ident}).one_or_none()
    return Grant(**row._asdict()) if row else None


def insert(connection: sa.Connection, grant: Grant) -> None:
    """Keep a new grant."""
    connection.execute(sa.insert(table), vars(grant))


def of_agents(connection: sa.Connection, agents: Sequence[str], now: int) -> list[Grant]:
    """Give the grants of these agents that are in force, oldest first."""
    rows = connection.execute(_OF_AGENTS, {"of": list(agents), "now": now})
    return [Grant(**row._asdict()) for row in rows]


def page(connection: sa.Connection, *, before: str, limit: int, agent: str, ended: bool, now: int) -> list[Grant]:
    """Give grants, newest first, those before an id; those that are over too where `ended`."""
    query = sa.select(table).order_by(table.c.id.desc()).limit(limit)
    if before:
        query = query.where(table.c.id < before)
    if agent:
        query = query.where(table.c.agent == agent)
    if not ended:
        query = query.where(*_HOLDS)
    return [Grant(**row._asdict()) for row in connection.execute(query, {} if ended else {"now": now})]


def revoke(connection: sa.Connection, ident: str, now: int, caller: str) -> None:
    """End a grant."""
    _change(connection, table.c.id == ident, revoke_time=now, revoke_caller=caller, ended=True)


def end_of_subject(connection: sa.Connection, subject: str, now: int) -> int:
    """End the grants of a run that is over; gives how many that were."""
    return connection.execute(_END, {"of": subject, "expire_time": now}).rowcount


def over(connection: sa.Connection, now: int) -> int:
    """Count the grants whose time is over and whose end nobody noted yet."""
    return connection.execute(sa.select(sa.func.count()).where(*_over(now))).scalar_one()


def note_over(connection: sa.Connection, now: int) -> int:
    """Note the end of those whose time is over; gives how many that were."""
    return _change(connection, sa.and_(*_over(now)), ended=True)


def _over(now: int) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.ended.is_(False), table.c.expire_time <= now


def _change(connection: sa.Connection, of: sa.ColumnElement[bool], **values: Any) -> int:
    return connection.execute(sa.update(table).where(of).values(**values)).rowcount
