"""The journal's groups in the router's own SQLite, written by a thread, or at once where nobody else would wait."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from router.budgets.counter import Counter
from router.store.database import Writer, busy
from router.store.journal import AlreadyEnded, Entry, Kind, Unwritable
from router.store.ledger import INSERT

_GROWN = 512
_SLOW_SECONDS = 0.005
_RESTRAINED = 64  # groups for the thread after a slow one, for the disk may be busy for a while

RESERVED = (
    "id", "time_micros", "caller", "run", "agent", "session", "model", "provider", "upstream_model", "price_source",
    "input_tokens", "output_tokens", "seconds", "cost_microusd",
)  # fmt: skip
_RESERVE = f"INSERT INTO reservations ({', '.join(RESERVED)}) VALUES ({', '.join('?' * len(RESERVED))})"  # noqa: S608 - our own names
_END = "DELETE FROM reservations WHERE id = ?"
_USE = """INSERT INTO budget_uses (budget, subject, "window", used, warned) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET used = min(used + excluded.used, 1 << 61), warned = max(warned, excluded.warned)"""

LocalWork = Callable[[sqlite3.Connection], Any]


class LocalBackend:
    """Writes through a Writer that is its own while it is used. A work is a LocalWork.

    To hand a group to the thread and back takes about as long as a disk needs to keep it. So where `alone` says that
    there is one call and no other, the event loop writes it itself: nobody is held up by that.
    """

    def __init__(self, writer: Writer, alone: Callable[[], bool] = lambda: False) -> None:
        self._writer = writer
        self._alone = alone
        self._restrained = 0
        self._inbox: SimpleQueue[tuple[LocalWork, asyncio.Future[Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._groups = 0
        self._grown = asyncio.Event()

    async def write(self, batch: list[Entry]) -> Any:
        """Store a group."""
        self._groups += 1
        if self._groups % _GROWN == 0:
            self._grown.set()
        work = batch[0].work or _group(batch)
        if self._restrained:
            self._restrained -= 1
        elif len(batch) == 1 and self._alone():
            try:
                return self._at_once(work)
            except sqlite3.OperationalError as error:
                if not busy(error):
                    raise Unwritable(str(error)) from error
        return await self._in_thread(work)

    def _at_once(self, work: LocalWork) -> Any:
        began = time.monotonic()
        try:
            return self._writer.transact(work, wait_seconds=0)  # who writes may be waiting for this very loop
        finally:
            if time.monotonic() - began > _SLOW_SECONDS:
                self._restrained = _RESTRAINED

    async def _in_thread(self, work: LocalWork) -> Any:
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, args=(loop,), name="journal", daemon=True)
            self._thread.start()
        done = loop.create_future()
        self._inbox.put((work, done))
        result, error = await done
        if isinstance(error, sqlite3.OperationalError | OSError):
            raise Unwritable(str(error)) from error
        if error is not None:
            raise error
        return result

    async def grown(self) -> None:
        """Wait until some 512 more groups were written: then the write-ahead log is worth a look."""
        await self._grown.wait()
        self._grown.clear()

    async def aclose(self) -> None:
        """End the thread; the writer stays open."""
        if self._thread is not None:
            self._inbox.put(None)
            self._thread.join()
            self._thread = None

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._inbox.get()) is not None:
            work, done = job
            result, error = None, None
            try:
                result = self._writer.transact(work)
            except Exception as caught:  # noqa: BLE001 - whatever it is, they who wait are told
                error = caught
            loop.call_soon_threadsafe(_tell, done, (result, error))


def _tell(done: asyncio.Future[Any], outcome: tuple[Any, Exception | None]) -> None:
    if not done.done():
        done.set_result(outcome)


def _group(batch: list[Entry]) -> LocalWork:
    """Make the work of a group. What it counts is decided here, in the event loop."""
    reserves, rows, settled, released = [], [], [], []
    for entry in batch:
        if entry.call is None:
            continue
        if entry.kind is Kind.RESERVE:
            reserves.append(entry.call.values())
        elif entry.row is not None:
            rows.append(entry.row)
            settled.append((entry.call.call,))
        else:
            released.append((entry.call.call,))
    uses = _uses(batch)

    def work(connection: sqlite3.Connection) -> None:
        connection.executemany(_RESERVE, reserves)
        connection.executemany(_END, released)
        if settled:
            if connection.executemany(_END, settled).rowcount != len(settled):
                raise AlreadyEnded
            connection.executemany(INSERT, rows)
        connection.executemany(_USE, uses)

    return work


def _uses(batch: list[Entry]) -> list[tuple[str, str, str, int, bool]]:
    """Add up what a group counts, so that a count that many calls share is written once."""
    added: dict[Counter, int] = {}
    for entry in batch:
        if entry.row is not None and entry.call is not None:
            entry.charged = entry.call.charges(entry.row)
            for counter, amount in entry.charged:
                added[counter] = added.get(counter, 0) + amount
    return [
        (counter.budget.id, counter.subject, counter.window, amount, counter.warned or counter.warns(amount))
        for counter, amount in added.items()
    ]
