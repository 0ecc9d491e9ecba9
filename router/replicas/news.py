"""What is done about what other routers did: changes are taken up, and what the dead held is settled."""

import asyncio
from collections.abc import Awaitable, Callable

from router.store.journal import Journal, JournalError
from router.store.postgres import Connection
from router.store.shared import SharedBackend
from router.store.shared_budgets import bury
from signet.kit.errors import SignetError
from signet.kit.log import Log

_AGAIN_SECONDS = 1.0

Reload = Callable[[], Awaitable[None]]
"""Takes up what others changed. Raises SignetError."""


class News:
    """Does it while `run` runs."""

    def __init__(self, backend: SharedBackend, journal: Journal, log: Log) -> None:
        self._backend = backend
        self._journal = journal
        self._log = log
        self._reloads: dict[str, list[Reload]] = {}
        self._due: dict[Reload, None] = {}
        self._came = asyncio.Event()
        self._burying: asyncio.Task[None] | None = None

    def follow(self, reload: Reload, *tables: str) -> None:
        """Have something taken up anew within 2 seconds of a change of these tables, whoever makes it.

        And now: whoever asks for this has read them a while ago.
        """
        for table in tables:
            self._reloads.setdefault(table, []).append(reload)
        self._due[reload] = None
        self._came.set()

    async def changed(self, tables: frozenset[str], connection: Connection) -> None:
        """Take up budgets and the stop switch at once, and note what else is to be."""
        await self._backend.look(connection)
        self._due.update((reload, None) for table in sorted(tables) for reload in self._reloads.get(table, ()))
        self._came.set()

    def dead(self, routers: list[tuple[str, int]]) -> None:
        """Have what they hold settled, unless that is being done."""
        if self._burying is None or self._burying.done():
            self._burying = asyncio.create_task(self._bury(routers))

    async def run(self) -> None:
        """Take up what is due, until cancelled."""
        try:
            while True:
                await self._came.wait()
                self._came.clear()
                due, self._due = self._due, {}
                for reload in due:
                    await self._take_up(reload)
                if self._due:
                    await asyncio.sleep(_AGAIN_SECONDS)
        finally:
            if self._burying is not None:
                self._burying.cancel()

    async def _take_up(self, reload: Reload) -> None:
        try:
            await reload()
        except SignetError as error:
            self._log.warning("change_not_taken_up", reason=error.message)
            self._due[reload] = None
            self._came.set()

    async def _bury(self, routers: list[tuple[str, int]]) -> None:
        def told(calls: int) -> None:
            self._log.warning("router_lost", routers=[router for router, _ in routers], calls=calls)

        try:
            await self._journal.work(bury(routers), told).stored()
        except JournalError as error:
            self._log.warning("router_not_buried", reason=str(error))
