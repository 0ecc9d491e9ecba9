"""A meter on a database of its own, which a test can crash and open again, and whose clock it sets."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from router.authorise import Identity
from router.budgets.counts import LocalCounts
from router.budgets.estimate import Estimate
from router.budgets.meter import Meter
from router.budgets.metering import start
from router.budgets.period import window
from router.budgets.reservation import Reservation, Target
from router.store.budgets import BudgetStore, LocalChanges
from router.store.database import Writer, open_database
from router.store.journal import Journal
from router.store.ledger import Row
from router.store.local import LocalBackend
from router.usage import Usage
from signet.kit.log import Log
from signet.kit.names import uuid7

NOON = 1_795_262_400_000_000  # 2026-11-21 12:00 UTC
DAY = 86_400_000_000
PROVIDER = Target("providers/acme", "models/acme/large", "large", "user")


def who(agent: str = "a1", run: str = "r1", session: str = "s1") -> Identity:
    """Give a run's identity."""
    return Identity(f"runs/{run}", f"runs/{run}", f"agents/{agent}", f"sessions/{session}")


def most(cost: int | None = 100, *, tokens: int = 10, seconds: int = 5) -> Estimate:
    """Give an estimate."""
    return Estimate(cost, tokens, 0, seconds)


class Silent(Log):
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__("test")
        self.events: list[str] = []

    def warning(self, event: str, **fields: Any) -> None:
        """Keep an event's name."""
        del fields
        self.events.append(event)


class Desk:
    """The parts of one router's meter."""

    def __init__(self, path: Path, now: int = NOON) -> None:
        self.path = path
        self.now = now
        self.log = Silent()
        self.writer = Writer(path)
        self.kept = BudgetStore(path)
        self.journal = Journal(LocalBackend(self.writer))
        self.counts = LocalCounts(self.kept.use, self.kept.most)
        self.meter = Meter(self.journal, self.counts, LocalChanges(), self.log, lambda: self.now)
        self.lost = start(self.meter, self.kept, self.writer, self.log)
        self.writing = asyncio.create_task(self.journal.run())

    async def crash(self) -> None:
        """End as a killed process does: nothing more is written, nothing is told."""
        self.writing.cancel()
        await asyncio.wait([self.writing])
        self.kept.close()
        self.writer.close()

    async def aclose(self) -> None:
        """End in order."""
        self.journal.finish()
        await asyncio.wait([self.writing])
        self.kept.close()
        self.writer.close()

    async def reserve(
        self, cost: int | None = 100, by: Identity | None = None, *, tokens: int = 10, seconds: int = 5
    ) -> Reservation:
        """Reserve a call."""
        estimate = most(cost, tokens=tokens, seconds=seconds)
        return await self.meter.reserve(by or who(), PROVIDER, estimate, uuid7())

    def used(self, ident: str) -> int:
        """Give what is used of a budget now, as the table has it."""
        return self.kept.most(ident, window(self.meter.budget(ident).period, self.now))[0]

    def rows(self, query: str = "SELECT outcome, cost_microusd FROM calls ORDER BY id") -> list[tuple[Any, ...]]:
        """Ask the database from outside."""
        with contextlib.closing(sqlite3.connect(self.path)) as other:
            return other.execute(query).fetchall()


def row(reservation: Reservation, cost: int | None = 50, *, tokens: int = 5, outcome: str = "answered") -> Row:
    """Make the row of a call's end."""
    made = reservation.ended_as(Usage(tokens, 0), cost, outcome)
    return made._replace(duration_micros=1_500_000)


@asynccontextmanager
async def desk(folder: Path, now: int = NOON) -> AsyncIterator[Desk]:
    """Open the meter of a folder; its database is made first."""
    path = folder / "router.db"
    await open_database(path).dispose()
    opened = Desk(path, now)
    try:
        yield opened
    finally:
        await opened.aclose()
