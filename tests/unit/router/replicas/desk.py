"""A router's meter on a database that is shared, which a test can crash; its time is what the test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from router.address import Address
from router.authorise import Identity
from router.budgets.meter import Meter
from router.budgets.period import window
from router.budgets.reservation import Reservation
from router.replicas.counts import SharedCounts
from router.replicas.news import News
from router.replicas.presence import Presence
from router.store.journal import Entry, Journal, Kind
from router.store.postgres import Connection, connect, hang_up, open_shared
from router.store.routers import join
from router.store.shared import SharedBackend, quietly
from router.store.shared_budgets import SharedChanges, SharedUses, bury, leave
from signet.kit.names import uuid7
from tests.harness.postgres import ask
from tests.unit.router.budgets.desk import NOON, PROVIDER, Silent, most, who


async def alone(connection: Connection) -> None:
    """Come to a database without a place among its routers."""
    del connection


class Hands:
    """A clock that a test sets."""

    def __init__(self, now: int) -> None:
        self.time = now

    def at(self, micros: int) -> int:
        """Give the test's time, whatever the database says."""
        del micros
        return self.time

    def now(self) -> int:
        """Give it."""
        return self.time


class SharedDesk:
    """The parts of one router's meter. Signs of life are given when the test says so."""

    def __init__(self, address: Address, now: int) -> None:
        self.address = address
        self.hands = Hands(now)
        self.log = Silent()
        self.router = uuid7()
        self.backend = SharedBackend(address, self.router, self.hands, self.log)
        self.journal = Journal(self.backend)

    async def start(self) -> None:
        """Take one's place among the others."""
        self.engine = await open_shared(self.address, lambda connection: join(connection, self.router, "test"))
        self.meter = Meter(
            self.journal, SharedCounts(SharedUses(self.engine)), SharedChanges(), self.log, self.hands.now
        )
        self.backend.take, self.backend.take_freeze = self.meter.take, self.meter.take_freeze
        self.presence = Presence(self.address, self.router, 1.0, self.log)
        self.news = News(self.backend, self.journal, self.log)
        connection = await connect(self.address, "test")
        await self.backend.look(connection)
        await hang_up(connection)
        self.writing = asyncio.create_task(self.journal.run())

    @property
    def now(self) -> int:
        """The time, for the router and its database."""
        return self.hands.time

    @now.setter
    def now(self, micros: int) -> None:
        self.hands.time = micros

    async def crash(self) -> None:
        """End as a killed process does: nothing more is written, nothing is told."""
        self.writing.cancel()
        await asyncio.wait([self.writing])
        await self.engine.dispose()

    async def start_again(self) -> None:
        """Begin anew, after a crash."""
        self.router = uuid7()
        self.backend = SharedBackend(self.address, self.router, self.hands, self.log)
        self.journal = Journal(self.backend)
        await self.start()

    async def aclose(self) -> None:
        """End in order."""
        self.journal.finish()
        await asyncio.wait([self.writing])
        await quietly(self.backend.write([Entry(Kind.WORK, work=leave)]))
        await self.backend.aclose()
        await self.engine.dispose()

    async def bury(self, *others: "SharedDesk") -> int:
        """Settle what others held, as if they had been silent for long; gives how many calls."""
        ids = [other.router for other in others]
        rows = await ask(self.address.url, "SELECT id, beat_micros FROM routers WHERE id = ANY($1::text[])", ids)
        buried: list[int] = []
        await self.journal.work(bury(rows), buried.append).stored()  # type: ignore[arg-type] # as the query gives them
        return buried[0]

    async def reserve(
        self, cost: int | None = 100, by: Identity | None = None, *, tokens: int = 10, seconds: int = 5
    ) -> Reservation:
        """Reserve a call."""
        estimate = most(cost, tokens=tokens, seconds=seconds)
        return await self.meter.reserve(by or who(), PROVIDER, estimate, uuid7())

    async def count(self, budget: str, subject: str, when: str) -> tuple[int, int]:
        """Give what is used and held."""
        query = 'SELECT used, held FROM budget_uses WHERE budget = $1 AND subject = $2 AND "window" = $3'
        found = await ask(self.address.url, query, budget, subject, when)
        return found[0] if found else (0, 0)  # type: ignore[return-value] # as above

    async def used(self, ident: str) -> int:
        """Give what is used of a budget now, as the table has it."""
        used, _, _ = await self.meter.state(self.meter.budget(ident))
        return used

    async def held(self, ident: str) -> int:
        """Give what is held of it."""
        _, held, _ = await self.meter.state(self.meter.budget(ident))
        return held

    def window(self, ident: str) -> str:
        """Name the window of a budget that now lies in."""
        return window(self.meter.budget(ident).period, self.now)

    async def rows(
        self, query: str = "SELECT outcome, cost_microusd FROM calls ORDER BY id"
    ) -> list[tuple[object, ...]]:
        """Ask the database from outside."""
        return await ask(self.address.url, query)


@asynccontextmanager
async def shared_desk(address: Address, now: int = NOON) -> AsyncIterator[SharedDesk]:
    """Open a router's meter."""
    opened = SharedDesk(address, now)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.aclose()
