"""The one writer of what calls hold and use: commits in groups, and each caller told when its own is on disk."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol

from router.budgets.counter import Counter
from router.store.database import Writer
from router.store.ledger import INSERT, Row

_BATCH = 500
_WAITING = 10_000
_UNWRITTEN = 1_000
_AGAIN_SECONDS = 1.0
_GROWN = 128

RESERVED = (
    "id", "time_micros", "caller", "run", "agent", "session", "model", "provider", "upstream_model", "price_source",
    "input_tokens", "output_tokens", "seconds", "cost_microusd",
)  # fmt: skip
_RESERVE = f"INSERT INTO reservations ({', '.join(RESERVED)}) VALUES ({', '.join('?' * len(RESERVED))})"  # noqa: S608 - our own names
_END = "DELETE FROM reservations WHERE id = ?"
_USE = """INSERT INTO budget_uses (budget, subject, "window", used, warned) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET used = min(used + excluded.used, 1 << 61), warned = max(warned, excluded.warned)"""

Work = Callable[[sqlite3.Connection], Any]


class JournalError(Exception):
    """Raised for what could not be stored. What depends on it must not be done."""


class _AlreadyEnded(Exception):
    """Raised in the thread where a reservation that is to be settled is not there any more."""


class Call(Protocol):
    """What the journal asks of a call that holds something."""

    def charges(self, row: Row) -> list[tuple[Counter, int]]:
        """Say what a settlement adds to which counts."""

    def settled(self, charges: list[tuple[Counter, int]]) -> None:
        """Take note that it is settled: on disk."""

    def released(self) -> None:
        """Take note that it is released: on disk."""


class Entry:
    """What is to be written, and who waits for it.

    It is a reservation's values, a settlement's row, work that stands in a transaction of its own, or else a release.
    """

    __slots__ = ("call", "charged", "error", "ident", "reserve", "row", "then", "waiting", "work", "written")

    def __init__(
        self,
        call: Call | None = None,
        *,
        ident: str = "",
        reserve: tuple[object, ...] | None = None,
        row: Row | None = None,
        work: Work | None = None,
        then: Callable[[Any], None] | None = None,
    ) -> None:
        self.call = call
        self.ident = ident
        self.reserve = reserve
        self.row = row
        self.work = work
        self.then = then
        self.charged: list[tuple[Counter, int]] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.written = False
        self.error: JournalError | None = None

    @property
    def ends(self) -> bool:
        """Whether it ends a reservation."""
        return self.reserve is None and self.work is None

    async def stored(self) -> None:
        """Wait until it is on disk; who is cancelled leaves it in the queue. Raises JournalError."""
        if self.error is not None:
            raise self.error
        if not self.written:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiting.append(future)
            await future

    def tell(self, error: "JournalError | None") -> None:
        """Tell all who wait how it went."""
        self.written, self.error = error is None, error
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)


class Journal:
    """Entries go in while `run` runs. A group is what came while the one before it was being written."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._entries: list[Entry] = []
        self._unwritten: list[Entry] = []
        self._came = asyncio.Event()
        self._ending = False
        self._groups = 0
        self._grown = asyncio.Event()

    def reserve(self, row: tuple[object, ...]) -> Entry:
        """Store a reservation, the values of RESERVED.

        Raises JournalError at once where too much waits, or could not be written before.
        """
        if self._ending or len(self._entries) >= _WAITING or len(self._unwritten) >= _UNWRITTEN:
            raise JournalError("the ledger is behind")
        return self._add(Entry(reserve=row))

    def settle(self, call: Call, row: Row) -> Entry:
        """Store a ledger row, count it, and end its reservation: all or nothing, and once.

        Where that fails, who waits is told, and it is tried again until it is written or the router ends.
        """
        return self._add(Entry(call, ident=row.id, row=row))

    def release(self, call: Call, ident: str) -> Entry:
        """End a reservation of which nothing was used; tried again as a settlement is."""
        return self._add(Entry(call, ident=ident))

    def work(self, work: Work, then: Callable[[Any], None]) -> Entry:
        """Do work in a transaction of its own, between groups; `then` is called with its result before the next."""
        if self._ending:
            raise JournalError("the router is ending")
        return self._add(Entry(work=work, then=then))

    async def run(self) -> None:
        """Write until `finish` was called and all before it is written."""
        inbox: SimpleQueue[tuple[Work, asyncio.Future[Any]] | None] = SimpleQueue()
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=self._serve, args=(inbox, loop), name="journal", daemon=True)
        thread.start()
        try:
            while await self._wait():
                await self._store(inbox, self._next())
        finally:
            inbox.put(None)
            thread.join()

    async def grown(self) -> None:
        """Wait until some 128 more groups were written: then the write-ahead log is worth a look."""
        await self._grown.wait()
        self._grown.clear()

    def finish(self) -> None:
        """Let `run` return once it has written what came before; what cannot be written stays reserved."""
        self._ending = True
        self._came.set()

    def _add(self, entry: Entry) -> Entry:
        self._entries.append(entry)
        self._came.set()
        return entry

    async def _wait(self) -> bool:
        """Wait for something to write; give whether there is."""
        while not self._entries:
            if self._ending:
                self._entries, self._unwritten = self._unwritten, []
                return bool(self._entries)
            self._came.clear()
            try:
                async with asyncio.timeout(_AGAIN_SECONDS if self._unwritten else None):
                    await self._came.wait()
            except TimeoutError:
                self._entries, self._unwritten = self._unwritten + self._entries, []
        return True

    def _next(self) -> list[Entry]:
        """Take the next group: as much as fits, or a work by itself."""
        count = 0
        for entry in self._entries[:_BATCH]:
            if entry.work is not None:
                break
            count += 1
        batch, self._entries = self._entries[: max(count, 1)], self._entries[max(count, 1) :]
        return batch

    async def _store(self, inbox: "SimpleQueue[Any]", batch: list[Entry]) -> None:
        done = asyncio.get_running_loop().create_future()
        self._groups += 1
        if self._groups % _GROWN == 0:
            self._grown.set()
        first = batch[0]
        inbox.put((first.work or _group(batch), done))
        result, error = await done
        if error is None:
            for entry in batch:
                _finish(entry, result)
        elif isinstance(error, _AlreadyEnded) and len(batch) == 1:
            _finish(first, None)
        elif len(batch) > 1 and not isinstance(error, sqlite3.OperationalError | OSError):
            for entry in batch:  # one of them is bad: the others need not suffer
                await self._store(inbox, [entry])
        else:
            self._failed(batch, error)

    def _failed(self, batch: list[Entry], error: Exception) -> None:
        for entry in batch:
            entry.tell(JournalError(f"the ledger cannot be written: {error}"))
            if entry.ends and not self._ending and isinstance(error, sqlite3.OperationalError | OSError):
                self._unwritten.append(entry)

    def _serve(self, inbox: "SimpleQueue[Any]", loop: asyncio.AbstractEventLoop) -> None:
        while (job := inbox.get()) is not None:
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


def _finish(entry: Entry, result: Any) -> None:
    if entry.then is not None:
        entry.then(result)
    if entry.call is not None and entry.row is not None:
        entry.call.settled(entry.charged)
    elif entry.call is not None:
        entry.call.released()
    entry.tell(None)


def _group(batch: list[Entry]) -> Work:
    """Make the work of a group. What it counts is decided here, in the event loop."""
    reserves = [entry.reserve for entry in batch if entry.reserve is not None]
    rows = [entry.row for entry in batch if entry.row is not None]
    settled = [(entry.ident,) for entry in batch if entry.row is not None]
    released = [(entry.ident,) for entry in batch if entry.ends and entry.row is None]
    uses = _uses(batch)

    def work(connection: sqlite3.Connection) -> None:
        connection.executemany(_RESERVE, reserves)
        connection.executemany(_END, released)
        if settled:
            if connection.executemany(_END, settled).rowcount != len(settled):
                raise _AlreadyEnded
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
