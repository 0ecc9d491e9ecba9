"""The ledger of model calls: one writer, grouped commits, each caller told when its row is on disk."""

import asyncio
import sqlite3
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from sqlalchemy import Column, case, func, select
from sqlalchemy import Row as Found
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import ColumnElement

from router.store.database import Writer, reading
from router.store.schema import calls
from router.usage import Usage

_BATCH = 500
_WAITING = 10_000


@dataclass(frozen=True)
class Row:
    """One call; its fields are the table's columns."""

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


class LedgerError(Exception):
    """Raised when a row could not be stored; the call that it is for must not be answered as if it had been."""


_COLUMNS = [field.name for field in fields(Row)]
_VALUES = attrgetter(*_COLUMNS)
_INSERT = f"INSERT INTO calls ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - our own names

DIMENSIONS: dict[str, ColumnElement[str]] = {
    "AGENT": calls.c.agent,
    "MODEL": calls.c.model,
    "RUN": calls.c.run,
    "DAY": func.strftime("%Y-%m-%d", calls.c.time_micros / 1_000_000, "unixepoch"),
    "SESSION": calls.c.session,
    "PROVIDER": calls.c.provider,
}


class Ledger:
    """Rows go in by `write` while `run` is running; sums come out of committed rows.

    Rows do not take SQLAlchemy's way in: ten hops between threads for each commit would cost more than the whole call.
    """

    def __init__(self, engine: AsyncEngine, writer: Writer) -> None:
        self._reading = reading(engine)
        self._writer = writer
        self._queue: asyncio.Queue[tuple[Row, asyncio.Future[None]] | None] = asyncio.Queue(_WAITING)

    async def write(self, row: Row) -> None:
        """Store a row; it is on disk when this returns. A caller that is cancelled leaves its row in the queue.

        Raises LedgerError.
        """
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await self._queue.put((row, stored))
        await stored

    async def run(self) -> None:
        """Write until `finish` was called and all before it is written."""
        ending = False
        with ThreadPoolExecutor(1, "ledger") as thread:
            while not ending:
                batch = [await self._queue.get()]
                while len(batch) < _BATCH and not self._queue.empty():
                    batch.append(self._queue.get_nowait())
                ending = None in batch
                entries = [entry for entry in batch if entry is not None]
                if entries:
                    await self._store(thread, entries)

    async def finish(self) -> None:
        """Let `run` return once it has written all that came before."""
        await self._queue.put(None)

    async def _store(self, thread: Executor, entries: list[tuple[Row, asyncio.Future[None]]]) -> None:
        rows = [_VALUES(row) for row, _ in entries]
        try:
            await asyncio.get_running_loop().run_in_executor(thread, self._writer.commit, _INSERT, rows)
        except (sqlite3.Error, OSError) as error:
            for _, stored in entries:
                if not stored.done():
                    stored.set_exception(LedgerError(f"the ledger cannot be written: {error}"))
            return
        for _, stored in entries:
            if not stored.done():
                stored.set_result(None)

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
        return [_total(str(row.key), row) for row in rows]


def _sums() -> list[ColumnElement[Any]]:
    def total(column: Column[int]) -> ColumnElement[Any]:
        return func.coalesce(func.sum(column), 0).label(column.name)

    unknown = func.sum(case((calls.c.cost_microusd.is_(None), 1), else_=0))
    return [
        total(calls.c.input_tokens),
        total(calls.c.output_tokens),
        total(calls.c.cached_tokens),
        total(calls.c.reasoning_tokens),
        total(calls.c.cost_microusd),
        func.coalesce(unknown, 0).label("unknown"),
        func.coalesce(func.max(calls.c.estimated), 0).label("estimated"),
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
        input_tokens=value["input_tokens"],
        output_tokens=value["output_tokens"],
        cached_tokens=value["cached_tokens"],
        reasoning_tokens=value["reasoning_tokens"],
        estimated=bool(value["estimated"]),
    )
    return Total(key, usage, None if value["unknown"] else value["cost_microusd"], value["calls"])
