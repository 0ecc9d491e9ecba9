"""The ledger of model calls: what a row is, and what is read out of committed ones. `journal` writes them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, and_, case, func, literal_column, or_, select
from sqlalchemy import Row as Found
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import ColumnElement

from router.budgets.period import DAY, window
from router.store.database import reading
from router.store.schema import calls
from router.usage import Usage


class Row(NamedTuple):
    """One call; its fields are the table's columns, as INSERT takes them."""

    id: str
    time_micros: int
    caller: str
    run: str
    agent: str
    session: str
    model: str
    provider: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost_microusd: int | None
    estimated: bool
    outcome: str
    duration_micros: int
    upstream_model: str = ""
    price_source: str = ""
    queue_micros: int = 0
    first_byte_micros: int = 0
    attempts: int = 1
    cache_write_tokens: int = 0


@dataclass(frozen=True)
class Total:
    """The sum of some calls; the cost is None if that of any of them is unknown."""

    key: str
    usage: Usage
    cost_microusd: int | None
    calls: int


@dataclass(frozen=True)
class Filter:
    """Which calls are summed; empty and None mean all."""

    run: str = ""
    agent: str = ""
    after_micros: int | None = None
    before_micros: int | None = None


_COLUMNS = Row._fields
INSERT = f"INSERT INTO calls ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - our own names

_DAY_MICROS = 86_400_000_000

DIMENSIONS: dict[str, ColumnElement[Any]] = {
    "AGENT": calls.c.agent,
    "MODEL": calls.c.model,
    "RUN": calls.c.run,
    "DAY": calls.c.time_micros // literal_column(str(_DAY_MICROS)),
    "SESSION": calls.c.session,
    "PROVIDER": calls.c.provider,
    "CALLER": calls.c.caller,
}


class Ledger:
    """Rows come out of it as soon as they are committed."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reading = reading(engine)

    async def rows(self, wanted: Filter, *, after: tuple[int, str] | None, limit: int) -> list[Row]:
        """Give calls, newest first, from the one after `after`, a row's time and id."""
        clauses = _where(wanted)
        if after is not None:
            time, ident = after
            same = and_(calls.c.time_micros == time, calls.c.id < ident)
            clauses.append(or_(calls.c.time_micros < time, same))
        query = select(*(calls.c[name] for name in _COLUMNS)).where(*clauses)
        query = query.order_by(calls.c.time_micros.desc(), calls.c.id.desc()).limit(limit)
        async with self._reading.connect() as connection:
            return [Row(**row._mapping) for row in await connection.execute(query)]  # noqa: SLF001 - as below

    async def total(self, wanted: Filter) -> Total:
        """Sum all calls that a filter lets through."""
        async with self._reading.connect() as connection:
            row = (await connection.execute(select(*_sums()).where(*_where(wanted)))).one()
        return _total("", row)

    async def totals(self, dimension: str, wanted: Filter, *, offset: int, limit: int) -> list[Total]:
        """Sum by a dimension, a key of DIMENSIONS: largest known cost first, then most tokens, then by key."""
        key = DIMENSIONS[dimension]
        sums = _sums()
        known = func.coalesce(func.sum(calls.c.cost_microusd), 0)
        tokens = func.sum(calls.c.input_tokens + calls.c.output_tokens)
        query = (
            select(*sums, key.label("key"))
            .where(*_where(wanted))
            .group_by(key)
            .order_by(known.desc(), tokens.desc(), key)
            .offset(offset)
            .limit(limit)
        )
        async with self._reading.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [_total(_key(dimension, row.key), row) for row in rows]


def _sums() -> list[ColumnElement[Any]]:
    def total(column: Column[int]) -> ColumnElement[Any]:
        return func.coalesce(func.sum(column), 0).label(column.name)

    unknown = func.sum(case((calls.c.cost_microusd.is_(None), 1), else_=0))
    return [
        total(calls.c.input_tokens),
        total(calls.c.output_tokens),
        total(calls.c.cached_tokens),
        total(calls.c.reasoning_tokens),
        total(calls.c.cache_write_tokens),
        total(calls.c.cost_microusd),
        func.coalesce(unknown, 0).label("unknown"),
        func.coalesce(func.max(case((calls.c.estimated, 1), else_=0)), 0).label("estimated"),
        func.count().label("calls"),
    ]


def _where(wanted: Filter) -> list[ColumnElement[bool]]:
    clauses: list[ColumnElement[bool]] = []
    if wanted.run:
        clauses.append(calls.c.run == wanted.run)
    if wanted.agent:
        clauses.append(calls.c.agent == wanted.agent)
    if wanted.after_micros is not None:
        clauses.append(calls.c.time_micros >= wanted.after_micros)
    if wanted.before_micros is not None:
        clauses.append(calls.c.time_micros < wanted.before_micros)
    return clauses


def _total(key: str, row: Found[*tuple[Any, ...]]) -> Total:
    value = row._mapping  # noqa: SLF001 - sqlalchemy's public name for it
    usage = Usage(
        input_tokens=int(value["input_tokens"]),  # PostgreSQL's sums are decimals
        output_tokens=int(value["output_tokens"]),
        cached_tokens=int(value["cached_tokens"]),
        reasoning_tokens=int(value["reasoning_tokens"]),
        estimated=bool(value["estimated"]),
        cache_write_tokens=int(value["cache_write_tokens"]),
    )
    return Total(key, usage, None if value["unknown"] else int(value["cost_microusd"]), value["calls"])


def _key(dimension: str, value: str | int) -> str:
    return window(DAY, int(value) * _DAY_MICROS) if dimension == "DAY" else str(value)
