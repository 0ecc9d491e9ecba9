"""Rows of policies and of their versions."""

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from control.store.schema import agents, sandboxes
from control.store.schema import policies as table
from control.store.schema import policy_versions as versions

KEPT_VERSIONS = 1000
"""Versions of one policy that are kept; older ones are forgotten, but for the one in force."""


@dataclass(frozen=True)
class Policy:
    """A policy. `version` is the one in force, 0 for none; `agents` counts those that name it and are not deleted."""

    id: str
    version: int
    newest_version: int
    built_in: bool
    create_time: int
    update_time: int
    agents: int = 0
    description: str = ""


@dataclass(frozen=True)
class Version:
    """One document of a policy. `canonical` is empty where it is bad; `state` is a number of signet.v1.PolicyState."""

    policy: str
    version: int
    state: int
    detail: str
    description: str
    document: str
    canonical: str
    digest: str
    secrets: tuple[str, ...]
    wall_seconds: int
    needs_new_sandbox: bool
    caller: str
    create_time: int


_AGENTS = (
    sa.select(sa.func.count())
    .where(agents.c.policy == table.c.id, agents.c.delete_time.is_(None))
    .scalar_subquery()
    .label("agents")
)
_TOLD = (
    sa.select(versions.c.description)
    .where(
        versions.c.policy == table.c.id,
        versions.c.version == sa.case((table.c.version > 0, table.c.version), else_=table.c.newest_version),
    )
    .scalar_subquery()
    .label("description")
)
_POLICY = sa.select(table, _AGENTS, _TOLD)
_GET = _POLICY.where(table.c.id == sa.bindparam("of"))
_VERSION = sa.select(versions).where(versions.c.policy == sa.bindparam("of"), versions.c.version == sa.bindparam("at"))
_IN_FORCE = (
    sa.select(versions)
    .join(table, sa.and_(table.c.id == versions.c.policy, table.c.version == versions.c.version))
    .where(table.c.id == sa.bindparam("of"))
)


def get(connection: sa.Connection, ident: str) -> Policy | None:
    """Give a policy."""
    row = connection.execute(_GET, {"of": ident}).one_or_none()
    return Policy(**row._asdict()) if row else None


def names(connection: sa.Connection) -> list[str]:
    """Give the ids of the policies, at most 1000: for "did you mean"."""
    return list(connection.execute(sa.select(table.c.id).limit(1000)).scalars())


def count(connection: sa.Connection) -> int:
    """Count the policies."""
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def page(connection: sa.Connection, *, after: str, limit: int) -> list[Policy]:
    """Give policies by id, those after one."""
    query = _POLICY.where(table.c.id > after).order_by(table.c.id).limit(limit)
    return [Policy(**row._asdict()) for row in connection.execute(query)]


def version(connection: sa.Connection, policy: str, number: int) -> Version | None:
    """Give one version."""
    row = connection.execute(_VERSION, {"of": policy, "at": number}).one_or_none()
    return _version(row) if row else None


def in_force(connection: sa.Connection, policy: str) -> Version | None:
    """Give the version in force, or None."""
    row = connection.execute(_IN_FORCE, {"of": policy}).one_or_none()
    return _version(row) if row else None


def version_page(connection: sa.Connection, *, policy: str, before: int | None, limit: int) -> list[Version]:
    """Give versions, newest first, those before one."""
    query = sa.select(versions).where(versions.c.policy == policy).order_by(versions.c.version.desc()).limit(limit)
    if before is not None:
        query = query.where(versions.c.version < before)
    return [_version(row) for row in connection.execute(query)]


def newest_of(connection: sa.Connection, policy: str, *, below: int, states: tuple[int, ...]) -> Version | None:
    """Give the newest version below a number that is in one of these states."""
    query = (
        sa.select(versions)
        .where(versions.c.policy == policy, versions.c.version < below, versions.c.state.in_(states))
        .order_by(versions.c.version.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return _version(row) if row else None


def insert(connection: sa.Connection, policy: Policy) -> None:
    """Keep a new policy."""
    values = {name: getattr(policy, name) for name in table.c.keys()}  # noqa: SIM118 - a collection of columns
    connection.execute(sa.insert(table), values)


def change(connection: sa.Connection, ident: str, **values: Any) -> None:
    """Change columns of a policy."""
    connection.execute(sa.update(table).where(table.c.id == ident).values(**values))


def insert_version(connection: sa.Connection, made: Version) -> None:
    """Keep a new version, and forget those too many."""
    connection.execute(sa.insert(versions), vars(made) | {"secrets": json.dumps(made.secrets)})
    current = sa.select(table.c.version).where(table.c.id == made.policy).scalar_subquery()
    connection.execute(
        sa.delete(versions).where(
            versions.c.policy == made.policy,
            versions.c.version <= made.version - KEPT_VERSIONS,
            versions.c.version != current,
        )
    )


def set_state(connection: sa.Connection, policy: str, number: int, state: int, detail: str | None = None) -> None:
    """Note how far a version is in force, and why."""
    more = {} if detail is None else {"detail": detail}
    of = (versions.c.policy == policy, versions.c.version == number)
    connection.execute(sa.update(versions).where(*of).values(state=state, **more))


def supersede(connection: sa.Connection, policy: str, number: int, states: tuple[int, ...], state: int) -> None:
    """Note that every version below a number, of those in these states, is in another one now."""
    of = (versions.c.policy == policy, versions.c.version < number, versions.c.state.in_(states))
    connection.execute(sa.update(versions).where(*of).values(state=state))


def delete(connection: sa.Connection, ident: str) -> None:
    """Remove a policy and all its versions."""
    connection.execute(sa.delete(versions).where(versions.c.policy == ident))
    connection.execute(sa.delete(table).where(table.c.id == ident))


def users(connection: sa.Connection, ident: str) -> list[str]:
    """Name the agents that use a policy and are not deleted, a few of them."""
    query = sa.select(agents.c.id).where(agents.c.policy == ident, agents.c.delete_time.is_(None))
    return list(connection.execute(query.order_by(agents.c.id).limit(5)).scalars())


def spread(connection: sa.Connection, ident: str, number: int) -> tuple[int, int]:
    """Count the sandboxes that have a version, and those that run under the policy."""
    has = sa.and_(sandboxes.c.policy == ident, sandboxes.c.policy_version == number)
    query = (
        sa.select(sa.func.coalesce(sa.func.sum(sa.case((has, 1), else_=0)), 0), sa.func.count())
        .select_from(sandboxes)
        .join(agents, agents.c.id == sandboxes.c.agent)
        .where(agents.c.policy == ident)
    )
    loaded, of = connection.execute(query).one()
    return int(loaded), int(of)


def problem(connection: sa.Connection, ident: str, number: int) -> tuple[str, str] | None:
    """Give a sandbox under a policy that could not load a version, and why."""
    query = (
        sa.select(sandboxes.c.id, sandboxes.c.policy_problem)
        .join(agents, agents.c.id == sandboxes.c.agent)
        .where(agents.c.policy == ident, sandboxes.c.problem_version == number, sandboxes.c.policy_problem != "")
        .order_by(sandboxes.c.id)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return (row.id, row.policy_problem) if row else None


def _version(row: sa.Row[Any]) -> Version:
    values = row._asdict()
    return Version(**values | {"secrets": tuple(json.loads(values["secrets"]))})
