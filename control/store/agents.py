"""Rows of agents."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from control.store.schema import agents as table
from control.store.schema import runs
from signet.kit.times import stamp
from signet.v1 import agents_pb2, runs_pb2

ACTIVE = (runs_pb2.RUN_STATE_PENDING, runs_pb2.RUN_STATE_RUNNING, runs_pb2.RUN_STATE_WAITING)
"""States of a run that is not final."""

_GET = sa.select(table).where(table.c.id == sa.bindparam("of"))
_POLICIES = sa.select(table.c.id, table.c.policy).where(
    table.c.id.in_(sa.bindparam("of", expanding=True)), table.c.delete_time.is_(None)
)


def get(connection: sa.Connection, ident: str) -> agents_pb2.Agent | None:
    """Give an agent, also a deleted one (it has delete_time)."""
    row = connection.execute(_GET, {"of": ident}).one_or_none()
    return _agent(row) if row else None


def names(connection: sa.Connection) -> list[str]:
    """Give the ids of the agents that are not deleted, at most 1000: for "did you mean"."""
    query = sa.select(table.c.id).where(table.c.delete_time.is_(None)).limit(1000)
    return list(connection.execute(query).scalars())


def deleted(connection: sa.Connection) -> frozenset[str]:
    """Give the resource names of the agents that are deleted."""
    query = sa.select(table.c.id).where(table.c.delete_time.is_not(None))
    return frozenset(f"agents/{ident}" for ident in connection.execute(query).scalars())


def policies(connection: sa.Connection, idents: Sequence[str]) -> dict[str, str]:
    """Give the ids of the policies that agents name, of those that are not deleted."""
    return {row.id: row.policy for row in connection.execute(_POLICIES, {"of": list(idents)})}


def page(connection: sa.Connection, *, after: str, limit: int, deleted: bool) -> list[agents_pb2.Agent]:
    """Give agents by id, those after one."""
    query = sa.select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
    if not deleted:
        query = query.where(table.c.delete_time.is_(None))
    return [_agent(row) for row in connection.execute(query)]


def insert(connection: sa.Connection, agent: agents_pb2.Agent, now: int) -> None:
    """Keep a new agent."""
    ident = agent.name.removeprefix("agents/")
    values = _values(agent) | {"id": ident, "create_time": now, "update_time": now, "version": 1}
    connection.execute(sa.insert(table), values)


def update(connection: sa.Connection, agent: agents_pb2.Agent, now: int) -> None:
    """Keep a changed agent."""
    _change(connection, agent.name, _values(agent), now)


def set_deleted(connection: sa.Connection, name: str, now: int, *, deleted: bool) -> None:
    """Hide an agent, or bring it back."""
    _change(connection, name, {"delete_time": now if deleted else None}, now)


def has_active_runs(connection: sa.Connection, ident: str) -> bool:
    """Tell whether a run of this agent is not final."""
    query = sa.select(runs.c.id).where(runs.c.agent == ident, runs.c.state.in_(ACTIVE)).limit(1)
    return connection.execute(query).first() is not None


def _change(connection: sa.Connection, name: str, values: dict[str, Any], now: int) -> None:
    ident = name.removeprefix("agents/")
    changed = values | {"update_time": now, "version": table.c.version + 1}
    connection.execute(sa.update(table).where(table.c.id == ident).values(changed))


def _values(agent: agents_pb2.Agent) -> dict[str, Any]:
    return {
        "description": agent.description,
        "soul": agent.soul,
        "toolsets": json.dumps(list(agent.toolsets)),
        "runtime": agent.runtime,
        "model": agent.model,
        "policy": agent.policy.removeprefix("policies/"),
        "max_rounds": agent.limits.max_rounds,
        "max_seconds": agent.limits.max_seconds,
        "max_output_tokens": agent.limits.max_output_tokens,
    }


def _agent(row: sa.Row[Any]) -> agents_pb2.Agent:
    toolsets: Sequence[str] = json.loads(row.toolsets)
    etag = hashlib.sha256(f"{row.id} {row.create_time} {row.version}".encode()).hexdigest()[:16]
    return agents_pb2.Agent(
        name=f"agents/{row.id}",
        description=row.description,
        soul=row.soul,
        toolsets=toolsets,
        runtime=row.runtime,
        model=row.model,
        policy=f"policies/{row.policy}",
        limits=agents_pb2.RunLimits(
            max_rounds=row.max_rounds, max_seconds=row.max_seconds, max_output_tokens=row.max_output_tokens
        ),
        create_time=stamp(row.create_time),
        update_time=stamp(row.update_time),
        delete_time=None if row.delete_time is None else stamp(row.delete_time),
        etag=etag,
    )
