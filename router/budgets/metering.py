"""The meter with what it writes through, for as long as a context lasts."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from router.budgets.meter import Meter
from router.store.budgets import BudgetStore
from router.store.database import Writer
from router.store.journal import Journal
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
    journal = Journal(writer)
    meter = Meter(journal, kept, log, clock)
    try:
        _start(meter, writer, path)
        writing = asyncio.create_task(journal.run())
        try:
            yield meter
        finally:
            journal.finish()
            await asyncio.wait([writing])
    finally:
        kept.close()
        writer.close()


def _start(meter: Meter, writer: Writer, path: Path) -> None:
    try:
        meter.start(writer)
    except sqlite3.Error as error:
        raise StartError(f"{path} cannot be read or written ({error}): see `signet doctor`") from error
