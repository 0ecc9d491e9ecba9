"""A router's place among those that share a database: it gives signs of life and sees the others'."""

import asyncio
import time
from contextlib import suppress
from typing import Any, Protocol

import asyncpg

from router.address import Address
from router.store import routers
from router.store.postgres import CHANGED, Connection, connect, hang_up
from signet.kit.log import Log

_AGAIN_SECONDS = 0.5


class Hearer(Protocol):
    """Who is told what was seen. Neither may take long: meanwhile no sign of life is given."""

    async def changed(self, tables: frozenset[str], connection: Connection) -> None:
        """Take note of tables that were changed; the connection may be used to read them."""

    def dead(self, routers: list[tuple[str, int]]) -> None:
        """Take note of routers that are dead, each with its last sign of life; told again while they are there."""


class Silences:
    """How long others were seen to give no sign, by our own clock: a database that was away tells nothing of them."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[tuple[str, int], float] = {}

    def dead(self, silent: list[tuple[str, int]], now: float) -> list[tuple[str, int]]:
        """Take who is silent now and since which sign; give those that were for too long."""
        self._since = {each: self._since.get(each, now) for each in silent}
        return [each for each, since in self._since.items() if now - since >= self._seconds]

    def forget(self) -> None:
        """Begin anew: we could not see for a while."""
        self._since.clear()


class Presence:
    """Keeps one connection, for as long as `run` runs. `fenced` is set when others took this router for dead.

    A router is dead whose last sign is `dead_seconds` old by the database's clock, and which gave none for as long
    while this one looked.
    """

    def __init__(self, address: Address, router: str, dead_seconds: float, log: Log) -> None:
        self._address = address
        self._router = router
        self._dead_micros = int(dead_seconds * 1_000_000)
        self._every = min(1.0, dead_seconds / 4)
        self._silences = Silences(dead_seconds)
        self._log = log
        self._revisions: dict[str, int] = {}
        self._came = asyncio.Event()
        self._away = False
        self.fenced = asyncio.Event()

    async def run(self, hearer: Hearer) -> None:
        """Do so until this router is fenced."""
        while not self.fenced.is_set():
            try:
                connection = await connect(self._address, f"signet presence {self._router}")
                try:
                    await self._look(connection, hearer)
                finally:
                    await hang_up(connection)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self._lose(error)
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _look(self, connection: Connection, hearer: Hearer) -> None:
        await routers.begin_beating(connection)
        await connection.add_listener(CHANGED, self._notified)
        if self._away:
            self._away = False
            self._log.info("database_back")
        while True:
            self._came.clear()
            beat = await routers.beat(connection, self._router)
            if beat is None:
                self.fenced.set()
                return
            found = await routers.revisions(connection)
            if changed := frozenset(topic for topic in found if found[topic] != self._revisions.get(topic)):
                await hearer.changed(changed, connection)
            self._revisions = found
            silent = await routers.silent(connection, beat - self._dead_micros)
            if dead := self._silences.dead(silent, time.monotonic()):
                hearer.dead(dead)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._came.wait()

    def _notified(self, *_: Any) -> None:
        self._came.set()

    def _lose(self, error: Exception) -> None:
        self._silences.forget()
        if not self._away:
            self._away = True
            self._log.warning("database_away", reason=str(error) or type(error).__name__)
