"""Rows of sessions, and the messages that a session's next run is given."""

from typing import Any

import sqlalchemy as sa

from control.store.schema import runs, texts
from control.store.schema import sessions as table
from signet.kit.times import stamp
from signet.v1 import runs_pb2, sessions_pb2


def get(connection: sa.Connection, ident: str) -> sessions_pb2.Session | None:
    """Give a session that is not deleted."""
    query = sa.select(table).where(table.c.id == ident, table.c.delete_time.is_(None))
    row = connection.execute(query).one_or_none()
    return _session(row) if row else None


def page(
    connection: sa.Connection, *, before: tuple[int, str] | None, limit: int, agent: str
) -> list[sessions_pb2.Session]:
    """Give sessions by newest activity, those before a moment and id; of one agent where it is given."""
    query = sa.select(table).where(table.c.delete_time.is_(None))
    query = query.order_by(table.c.update_time.desc(), table.c.id.desc()).limit(limit)
    if before:
        query = query.where(sa.tuple_(table.c.update_time, table.c.id) < sa.tuple_(*before))
    if agent:
        query = query.where(table.c.agent == agent)
    return [_session(row) for row in connection.execute(query)]


def insert(connection: sa.Connection, ident: str, agent: str, title: str, now: int) -> None:
    """Keep a new session."""
    values = {"id": ident, "agent": agent, "title": title, "create_time": now, "update_time": now}
    connection.execute(sa.insert(table), values)


def set_title(connection: sa.Connection, ident: str, title: str) -> None:
    """Keep another title."""
    connection.execute(sa.update(table).where(table.c.id == ident).values(title=title))


def set_deleted(connection: sa.Connection, ident: str, now: int) -> None:
    """Hide a session."""
    connection.execute(sa.update(table).where(table.c.id == ident).values(delete_time=now))


def count_run(connection: sa.Connection, ident: str, title: str, now: int) -> None:
    """Note that a run was made; its title stands where the session has none yet."""
    connection.execute(
        sa.update(table)
        .where(table.c.id == ident)
        .values(
            run_count=table.c.run_count + 1,
            update_time=now,
            title=sa.case((table.c.title == "", title), else_=table.c.title),
        )
    )


def history(connection: sa.Connection, ident: str, *, before: str, limit_bytes: int) -> str:
    """Give the messages of the session's SUCCEEDED runs made before a run: a JSON array, oldest first.

    Where they are more than `limit_bytes`, the oldest runs are left out, each whole.
    """
    query = (
        sa.select(texts.c.messages)
        .join(runs, runs.c.id == texts.c.run)
        .where(runs.c.session == ident, runs.c.id < before, runs.c.state == runs_pb2.RUN_STATE_SUCCEEDED)
        .order_by(runs.c.id.desc())
    )
    kept: list[str] = []
    size = 2
    with connection.execute(query) as found:
        for messages in found.scalars():
            inner = messages.strip()[1:-1].strip()
            if not inner:
                continue
            size += len(inner.encode()) + 1
            if size > limit_bytes:
                break
            kept.append(inner)
    return f"[{','.join(reversed(kept))}]"


def _session(row: sa.Row[Any]) -> sessions_pb2.Session:
    return sessions_pb2.Session(
        name=f"sessions/{row.id}",
        agent=f"agents/{row.agent}",
        title=row.title,
        create_time=stamp(row.create_time),
        update_time=stamp(row.update_time),
        run_count=row.run_count,
    )
