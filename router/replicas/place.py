"""Where a router keeps what it must not forget: a SQLite of its own, or a PostgreSQL that several share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from router.address import Address, password_of
from router.options import RouterOptions
from signet.kit.home import Home
from signet.kit.log import Log

if TYPE_CHECKING:
    from router.budgets.meter import Meter
    from router.replicas.news import News, Reload
    from router.store.database import AsyncEngine


@dataclass(frozen=True)
class Place:
    """A database that is open and up to date; where it is shared, this router has its place among the others."""

    engine: "AsyncEngine"
    path: Path
    address: Address | None = None
    router: str = ""
    dead_seconds: float = 0


@dataclass(frozen=True)
class Books:
    """The meter over it, and what comes of sharing it."""

    meter: "Meter"
    news: "News | None" = None
    fenced: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the routers that share it took this one for dead: it has to end."""

    def follow(self, reload: "Reload", *tables: str) -> None:
        """Have something taken up anew within 2 seconds of a change that another router makes of these tables.

        `reload` raises SignetError where that fails, and is tried again.
        """
        if self.news is not None:
            self.news.follow(reload, *tables)


@asynccontextmanager
async def opened(home: Home, options: RouterOptions) -> AsyncIterator[Place]:
    """Open the database for as long as the context lasts; made and migrated first. Raises StartError, HomeError."""
    path = home.router / "router.db"
    if options.database:
        from router.replicas.joining import joining

        address = Address(options.database, password_of(options.database_password_file))
        engine, router = await joining(home, address)
        place = Place(engine, path, address, router, options.database_dead_seconds)
    else:
        from router.store.database import open_database

        place = Place(open_database(path), path)
    try:
        yield place
    finally:
        await place.engine.dispose()


@asynccontextmanager
async def counting(place: Place, log: Log) -> AsyncIterator[Books]:
    """Keep account there. Raises StartError. What was asked to be written is written when the context is left."""
    if place.address is not None:
        from router.replicas.sharing import sharing

        async with sharing(place.engine, place.address, place.router, place.dead_seconds, log) as books:
            yield books
    else:
        from router.budgets.metering import metering

        async with metering(place.path, log) as meter:
            yield Books(meter)
