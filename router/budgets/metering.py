"""The meter with what it writes through, for as long as a context lasts: where this router alone has the database."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path

from router.budgets.counts import LocalCounts
from router.budgets.meter import Meter
from router.budgets.recovery import lost
from router.budgets.subjects import Subjects
from router.store.budgets import BudgetStore, LocalChanges, end
from router.store.database import Writer
from router.store.filling import fill
from router.store.journal import Journal
from router.store.local import LocalBackend
from signet.kit.lifecycle import StartError
from signet.kit.log import Log
from signet.kit.times import now_micros


@asynccontextmanager
async def metering(path: Path, log: Log, clock: Callable[[], int] = now_micros) -> AsyncIterator[Meter]:
    """Keep account in the database at a path, which is migrated; calls of a router before this one are settled first.

    Raises StartError. What was asked to be written is written when the context is left.
    """
    writer = Writer(path)
    kept = BudgetStore(path)
    backend = LocalBackend(writer, lambda: meter.running <= 1)
    journal = Journal(backend)
    meter = Meter(journal, LocalCounts(kept.use, kept.most), LocalChanges(), log, clock)
    try:
        _start(meter, kept, writer, log)
        writing = asyncio.create_task(journal.run())
        tidying = asyncio.create_task(_tidy(backend, path))
        try:
            yield meter
        finally:
            journal.finish()
            tidying.cancel()
            await asyncio.wait([writing, tidying])
    finally:
        kept.close()
        writer.close()


def start(meter: Meter, kept: BudgetStore, writer: Writer, log: Log) -> int:
    """Read what is kept, and settle the calls that a router before this one left; gives how many.

    Each counts as its worst case, for nobody knows how far it came. Raises sqlite3.Error.
    """
    meter.take_freeze(kept.freeze())
    budgets = kept.budgets()
    reserved = kept.reserved()
    if reserved:
        writer.transact(end(*lost(reserved, Subjects(budgets), meter.now)))
        log.warning("calls_lost", calls=len(reserved))
    meter.take(budgets)
    return len(reserved)


def _start(meter: Meter, kept: BudgetStore, writer: Writer, log: Log) -> None:
    try:
        start(meter, kept, writer, log)
    except sqlite3.Error as error:
        raise StartError(f"{writer.path} cannot be read or written ({error}): see `signet doctor`") from error


async def _tidy(backend: LocalBackend, path: Path) -> None:
    """Make room in the write-ahead log, and bring what was written into the database, beside the writer."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)) as connection:
        work: Callable[[sqlite3.Connection], None] = partial(fill, path)
        while True:
            tidying = asyncio.ensure_future(asyncio.to_thread(work, connection))
            try:
                await asyncio.shield(tidying)
            except asyncio.CancelledError:
                await asyncio.wait([tidying])  # the connection is its own until then
                raise
            work = _checkpoint
            await backend.grown()


def _checkpoint(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):  # the next time, then; whoever writes meets what is wrong
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
