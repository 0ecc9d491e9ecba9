"""The meter where several routers share a database, with what it writes through, for as long as a context lasts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from router.address import Address
from router.budgets.meter import Meter
from router.replicas.clock import SharedClock
from router.replicas.counts import SharedCounts
from router.replicas.news import News
from router.replicas.place import Books
from router.replicas.presence import Presence
from router.store.database import AsyncEngine
from router.store.journal import Entry, Journal, Kind
from router.store.postgres import connect, hang_up
from router.store.shared import SharedBackend, quietly
from router.store.shared_budgets import SharedChanges, SharedUses, leave
from signet.kit.lifecycle import StartError
from signet.kit.log import Log


@asynccontextmanager
async def sharing(
    engine: AsyncEngine, address: Address, router: str, dead_seconds: float, log: Log
) -> AsyncIterator[Books]:
    """Keep account in a database that others use, too, and in which this router has its place. Raises StartError.

    What was asked to be written is written when the context is left; what cannot be counts as lost.
    """
    clock = SharedClock()
    backend = SharedBackend(address, router, clock, log)
    journal = Journal(backend)
    meter = Meter(journal, SharedCounts(SharedUses(engine)), SharedChanges(), log, clock.now)
    backend.take, backend.take_freeze = meter.take, meter.take_freeze
    presence = Presence(address, router, dead_seconds, log)
    news = News(backend, journal, log)
    books = Books(meter, news)
    try:
        await _look(address, backend)
        writing = asyncio.create_task(journal.run())
        others = [
            asyncio.create_task(task)
            for task in (presence.run(news), news.run(), _watch(books, journal, presence, log))
        ]
        try:
            yield books
        finally:
            for task in others:
                task.cancel()
            journal.finish()
            await asyncio.wait([writing, *others])
            if not books.fenced.is_set():
                await quietly(backend.write([Entry(Kind.WORK, work=leave)]))
    finally:
        await backend.aclose()


async def _look(address: Address, backend: SharedBackend) -> None:
    """Take up what budgets there are, and what time it is."""
    try:
        connection = await connect(address, "signet router begins")
        try:
            await backend.look(connection)
        finally:
            await hang_up(connection)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartError(f"{address} cannot be used ({error}): see docs/replicas.md") from error


async def _watch(books: Books, journal: Journal, presence: Presence, log: Log) -> None:
    """Say once that this router is fenced, whoever finds it out first."""
    waits = [asyncio.create_task(each.wait()) for each in (journal.fenced, presence.fenced)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    log.error("fenced", message="other routers took this one for dead: it ends, and has to be started anew")
    books.fenced.set()
