"""Rows of runs. What the rest of control may know of one beyond the public Run is in `Row`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from control.store.schema import runs as table
from control.store.schema import stamps, texts
from control.tally import NOTHING, Tally
from signet.kit.times import stamp
from signet.v1 import runs_pb2, usage_pb2

FINAL = (runs_pb2.RUN_STATE_SUCCEEDED, runs_pb2.RUN_STATE_FAILED, runs_pb2.RUN_STATE_CANCELLED)
"""States that never change."""

_HELD = (runs_pb2.RUN_STATE_RUNNING, runs_pb2.RUN_STATE_WAITING)
_CUT = 4096


@dataclass(frozen=True)
class Row:
    """A run as its changes see it. Ids carry no collection."""

    id: str
    agent: str
    session: str
    state: int
    model: str
    runtime: str
    plan: str
    worker: str
    attempts: int
    generation: int
    last_sequence: int
    event_bytes: int
    tool_calls: int
    cancel_time: int | None
    cancel_caller: str
    cancel_noted: bool
    caller: str

    @property
    def name(self) -> str:
        """`runs/{run}`."""
        return f"runs/{self.id}"

    @property
    def final(self) -> bool:
        """Whether its state can never change."""
        return self.state in FINAL


_ROW = sa.select(*(getattr(table.c, name) for name in Row.__dataclass_fields__))

# Built once: building a statement costs four times as much as running it.
_ROW_OF = _ROW.where(table.c.id == sa.bindparam("of"))
_INSERT = sa.insert(table)
_INSERT_TEXT = sa.insert(texts)
_CHANGE = sa.update(table).where(table.c.id == sa.bindparam("of"))
_CONCLUDE = sa.update(texts).where(texts.c.run == sa.bindparam("of"))
_NEWEST = sa.select(sa.func.max(table.c.id))
_WAITING = (
    sa.select(table.c.id).where(table.c.state == runs_pb2.RUN_STATE_PENDING).limit(sa.bindparam("most")).subquery()
)
_PENDING = sa.select(sa.func.count()).select_from(_WAITING)
_BY_REQUEST = sa.select(table.c.id, table.c.request_hash).where(table.c.request_id == sa.bindparam("wanted"))


def row(connection: sa.Connection, ident: str) -> Row | None:
    """Give what a change needs of a run."""
    found = connection.execute(_ROW_OF, {"of": ident}).one_or_none()
    return _row(found) if found else None


def insert(connection: sa.Connection, values: dict[str, Any], text: str) -> None:
    """Keep a new run and its input."""
    connection.execute(_INSERT, values | {"cost_microusd": 0})
    connection.execute(_INSERT_TEXT, {"run": values["id"], "input": text})


def change(connection: sa.Connection, ident: str, **values: Any) -> None:
    """Change columns of a run."""
    connection.execute(_CHANGE, values | {"of": ident})


def conclude(connection: sa.Connection, ident: str, *, output: str, messages: str) -> None:
    """Keep what a run answered, and what it adds to its session."""
    connection.execute(_CONCLUDE, {"of": ident, "output": output, "messages": messages})


_SUMS = tuple(Tally.__dataclass_fields__)
_GROW = (
    sa.update(table)
    .where(table.c.id == sa.bindparam("of"))
    .values(last_sequence=sa.bindparam("last_sequence"), event_bytes=table.c.event_bytes + sa.bindparam("bytes_more"))
)
# A sum with NULL is NULL: a cost that is unknown once stays so. The two flags are 0 or 1, and `max` is their "or".
_GROW_SUMS = _GROW.values(
    {
        name: sa.func.max(table.c[name], sa.bindparam(f"{name}_more"))
        if name in {"estimated", "cancel_noted"}
        else table.c[name] + sa.bindparam(f"{name}_more")
        for name in _SUMS
    }
)


def grow(connection: sa.Connection, ident: str, last_sequence: int, size: int, tally: Tally) -> None:
    """Note that events were kept, and what they add to the run's figures."""
    values = {"of": ident, "last_sequence": last_sequence, "bytes_more": size}
    if tally == NOTHING:
        connection.execute(_GROW, values)
    else:
        more = {f"{name}_more": getattr(tally, name) for name in _SUMS}
        connection.execute(_GROW_SUMS, values | more)


_other = table.alias("other")
_busy = sa.exists().where(_other.c.session == table.c.session, _other.c.state.in_(_HELD))
_CLAIMABLE = (
    _ROW.where(
        table.c.state == runs_pb2.RUN_STATE_PENDING,
        table.c.runtime.in_(sa.bindparam("runtimes", expanding=True)),
        ~_busy,
    )
    .order_by(table.c.id)
    .limit(1)
)


def claimable(connection: sa.Connection, runtimes: Sequence[str]) -> Row | None:
    """Give the oldest PENDING run whose session has no run in a worker's hands."""
    found = connection.execute(_CLAIMABLE, {"runtimes": list(runtimes)}).one_or_none()
    return _row(found) if found else None


def pending(connection: sa.Connection, limit: int) -> int:
    """Count the runs that wait for a worker, up to a limit."""
    return connection.execute(_PENDING, {"most": limit}).scalar_one()


def newest(connection: sa.Connection) -> str:
    """Give the highest id, empty where there is no run."""
    return connection.execute(_NEWEST).scalar_one() or ""


def last_worker(connection: sa.Connection, agent: str) -> str:
    """Name the worker that an agent last ran on, empty where none did."""
    query = sa.select(table.c.worker).where(table.c.agent == agent, table.c.worker != "")
    return connection.execute(query.order_by(table.c.id.desc()).limit(1)).scalar_one_or_none() or ""


def by_request(connection: sa.Connection, request_id: str) -> tuple[str, str] | None:
    """Give the id of the run that a request made, and the hash of that request."""
    found = connection.execute(_BY_REQUEST, {"wanted": request_id}).one_or_none()
    return (found.id, found.request_hash) if found else None


def by_prefix(connection: sa.Connection, prefix: str) -> list[str]:
    """Give the ids that begin with a prefix, three at most."""
    query = sa.select(table.c.id).where(*_begins(table.c.id, prefix)).order_by(table.c.id).limit(3)
    return list(connection.execute(query).scalars())


def _begins(column: sa.Column[str], prefix: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Compare so that an index serves; ids and digests have no character above f."""
    return column >= prefix, column < f"{prefix}g"


_PUBLIC = (
    sa.select(
        table,
        stamps.c.soul,
        stamps.c.tools,
        stamps.c.runtime.label("runtime_digest"),
        stamps.c.model.label("model_digest"),
        stamps.c.permissions,
    )
    .join(stamps, stamps.c.digest == table.c.stamp)
    .join(texts, texts.c.run == table.c.id)
)

_GET = _PUBLIC.add_columns(texts.c.input, texts.c.output).where(table.c.id == sa.bindparam("of"))


def get(connection: sa.Connection, ident: str) -> runs_pb2.Run | None:
    """Give a run, whole."""
    found = connection.execute(_GET, {"of": ident}).one_or_none()
    return _run(found, found.input, found.output) if found else None


@dataclass(frozen=True)
class Filter:
    """Which runs are listed. Empty fields do not filter; times are microseconds, `before` an id."""

    agent: str = ""
    session: str = ""
    states: tuple[int, ...] = ()
    created_after: int | None = None
    created_before: int | None = None
    model: str = ""
    stamp: str = ""
    before: str = ""


def page(connection: sa.Connection, wanted: Filter, limit: int) -> list[runs_pb2.Run]:
    """Give runs, newest first, their input and output cut to 4 KiB."""
    query = _PUBLIC.add_columns(
        sa.func.substr(texts.c.input, 1, _CUT).label("input"), sa.func.substr(texts.c.output, 1, _CUT).label("output")
    )
    for condition in _conditions(wanted):
        query = query.where(condition)
    rows = connection.execute(query.order_by(table.c.id.desc()).limit(limit))
    return [_run(found, _cut(found.input), _cut(found.output)) for found in rows]


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.agent:
        found.append(table.c.agent == wanted.agent)
    if wanted.session:
        found.append(table.c.session == wanted.session)
    if wanted.states:
        found.append(table.c.state.in_(wanted.states))
    if wanted.created_after is not None:
        found.append(table.c.create_time >= wanted.created_after)
    if wanted.created_before is not None:
        found.append(table.c.create_time < wanted.created_before)
    if wanted.model:
        found.append(table.c.model == wanted.model)
    if wanted.stamp:
        found.extend(_begins(table.c.stamp, wanted.stamp))
    if wanted.before:
        found.append(table.c.id < wanted.before)
    return found


def _cut(text: str) -> str:
    return text.encode()[:_CUT].decode(errors="ignore")


def _row(found: sa.Row[Any]) -> Row:
    values = found._asdict()
    return Row(**values | {"session": values["session"] or ""})


def _run(found: sa.Row[Any], text: str, output: str) -> runs_pb2.Run:
    run = runs_pb2.Run(
        name=f"runs/{found.id}",
        agent=f"agents/{found.agent}",
        session=f"sessions/{found.session}" if found.session else "",
        input=text,
        state=found.state,
        output=output,
        stamp=runs_pb2.Stamp(
            digest=found.stamp,
            soul=found.soul,
            tools=found.tools,
            runtime=found.runtime_digest,
            model=found.model_digest,
            permissions=found.permissions,
        ),
        usage=_usage(found),
        create_time=stamp(found.create_time),
        start_time=None if found.start_time is None else stamp(found.start_time),
        end_time=None if found.end_time is None else stamp(found.end_time),
        worker=f"workers/{found.worker}" if found.worker else "",
        attempts=found.attempts,
        record_digest=found.record_digest,
        last_sequence=found.last_sequence,
        model=found.model,
        model_calls=found.model_calls,
        tool_calls=found.tool_calls,
        cancel_requested=found.cancel_time is not None,
    )
    if found.reason:
        run.error.reason = found.reason
        run.error.message = found.message
    return run


def _usage(found: sa.Row[Any]) -> usage_pb2.Usage:
    return usage_pb2.Usage(
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        cached_tokens=found.cached_tokens,
        reasoning_tokens=found.reasoning_tokens,
        cost_microusd=found.cost_microusd,
        estimated=found.estimated,
        calls=found.usage_calls,
    )
