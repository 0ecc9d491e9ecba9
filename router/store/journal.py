"""The one writer of what calls hold and use: commits in groups, and each caller told when its own is on disk."""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from router.budgets.counter import Counter
from router.store.ledger import Row

if TYPE_CHECKING:
    from router.budgets.reservation import Reservation
    from router.refusal import Refusal

_BATCH = 500
_WAITING = 10_000
_UNWRITTEN = 1_000
_AGAIN_SECONDS = 1.0

Work = Callable[[Any], Any]
"""What stands in a transaction of its own; what it is given, and whether it is awaited, its backend says."""


class JournalError(Exception):
    """Raised for what could not be stored. What depends on it must not be done."""


class Unwritable(Exception):
    """Raised by a backend whose database cannot be written now. Nothing of the group is stored.

    But where it is `doubtful`, all of it may be: the answer to the commit was lost.
    """

    def __init__(self, message: str, *, doubtful: bool = False) -> None:
        super().__init__(message)
        self.doubtful = doubtful


class Fenced(Exception):
    """Raised by a backend when another router took this one for dead, and settled all that it held."""


class AlreadyEnded(Exception):
    """Raised by a backend for a group in which a reservation is to be settled that is not there any more."""


class Kind(Enum):
    """What an entry does."""

    RESERVE = 1
    SETTLE = 2
    RELEASE = 3
    WORK = 4


class Entry:
    """What is to be written, and who waits for it.

    A backend leaves in `charged` what a settlement counted, and in `refusal` why a reservation is not admitted.
    """

    __slots__ = ("call", "charged", "error", "kind", "refusal", "row", "then", "waiting", "work", "written")

    def __init__(
        self,
        kind: Kind,
        call: "Reservation | None" = None,
        *,
        row: Row | None = None,
        work: Work | None = None,
        then: Callable[[Any], None] | None = None,
    ) -> None:
        self.kind = kind
        self.call = call
        self.row = row
        self.work = work
        self.then = then
        self.charged: list[tuple[Counter, int]] = []
        self.refusal: Refusal | None = None
        self.waiting: list[asyncio.Future[None]] = []
        self.written = False
        self.error: Exception | None = None

    @property
    def ends(self) -> bool:
        """Whether it ends a reservation."""
        return self.kind is Kind.SETTLE or self.kind is Kind.RELEASE

    async def stored(self) -> None:
        """Wait until it is on disk; who is cancelled leaves it in the queue. Raises JournalError, Refusal."""
        if self.error is not None:
            raise self.error
        if not self.written:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.waiting.append(future)
            await future

    def tell(self, error: "JournalError | Refusal | None") -> None:
        """Tell all who wait how it went."""
        self.written, self.error = error is None, error
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)


class Backend(Protocol):
    """A database that the journal writes to. One group at a time."""

    async def write(self, batch: list[Entry]) -> Any:
        """Store a group, all of it or nothing; durable when this returns. Gives a work's result.

        A work is a group by itself. Raises Unwritable, Fenced, AlreadyEnded; anything else means that one of several
        entries is bad, and each is tried by itself.
        """

    async def aclose(self) -> None:
        """Let go of the database."""


class Journal:
    """Entries go in while `run` runs. A group is what came while the one before it was being written."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._entries: list[Entry] = []
        self._unwritten: list[Entry] = []
        self._came = asyncio.Event()
        self._ending = False
        self._ended = False
        self.fenced = asyncio.Event()
        """Set when another router took this one for dead: nothing can be reserved any more."""

    def reserve(self, call: "Reservation") -> Entry:
        """Store a reservation, once it is admitted.

        Raises JournalError at once where too much waits, or could not be written before.
        """
        if self._ending or len(self._entries) >= _WAITING or len(self._unwritten) >= _UNWRITTEN:
            raise JournalError("the ledger is behind")
        return self._add(Entry(Kind.RESERVE, call))

    def settle(self, call: "Reservation", row: Row) -> Entry:
        """Store a ledger row, count it, and end its reservation: all or nothing, and once.

        Where that fails, who waits is told, and it is tried again until it is written or the router ends.
        """
        return self._add(Entry(Kind.SETTLE, call, row=row))

    def release(self, call: "Reservation") -> Entry:
        """End a reservation of which nothing was used; tried again as a settlement is."""
        return self._add(Entry(Kind.RELEASE, call))

    def work(self, work: Work, then: Callable[[Any], None]) -> Entry:
        """Do work in a transaction of its own, between groups; `then` is called with its result before the next."""
        if self._ending:
            raise JournalError("the router is ending")
        return self._add(Entry(Kind.WORK, work=work, then=then))

    async def run(self) -> None:
        """Write until `finish` was called and all before it is written; the backend is closed then."""
        try:
            while await self._wait():
                await self._store(self._next())
        finally:
            self._ended = True
            await self._backend.aclose()

    def finish(self) -> None:
        """Let `run` return once it has written what came before; what cannot be written stays reserved."""
        self._ending = True
        self._came.set()

    def _add(self, entry: Entry) -> Entry:
        if self._ended:
            entry.tell(JournalError("the router has ended"))
            return entry
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
            if entry.kind is Kind.WORK:
                break
            count += 1
        batch, self._entries = self._entries[: max(count, 1)], self._entries[max(count, 1) :]
        return batch

    async def _store(self, batch: list[Entry]) -> None:
        try:
            result = await self._backend.write(batch)
        except Unwritable as error:
            self._failed(batch, error)
        except Fenced as error:
            self._fence(batch, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, they who wait are told
            if len(batch) > 1:
                for entry in batch:  # one of them is bad: the others need not suffer
                    await self._store([entry])
            elif isinstance(error, AlreadyEnded):
                _finish(batch[0], None)
            else:
                self._failed(batch, error)
        else:
            for entry in batch:
                _finish(entry, result)

    def _failed(self, batch: list[Entry], error: Exception) -> None:
        again = isinstance(error, Unwritable) and not self._ending
        for entry in batch:
            entry.tell(JournalError(f"the ledger cannot be written: {error}"))
            if again and entry.ends:
                self._unwritten.append(entry)
            elif again and entry.kind is Kind.RESERVE and error.doubtful:  # type: ignore[attr-defined] # as `again` says
                self._unwritten.append(Entry(Kind.RELEASE, entry.call))

    def _fence(self, batch: list[Entry], error: Fenced) -> None:
        """Let no call begin any more; what is to be ended was ended by whoever took this router for dead."""
        self.fenced.set()
        for entry in batch:
            if entry.ends:
                _finish(entry, None)
            else:
                entry.tell(JournalError(str(error)))


def _finish(entry: Entry, result: Any) -> None:
    if entry.then is not None:
        entry.then(result)
    if entry.refusal is not None:
        entry.tell(entry.refusal)
        return
    if entry.kind is Kind.SETTLE and entry.call is not None:
        entry.call.settled(entry.charged)
    elif entry.kind is Kind.RELEASE and entry.call is not None:
        entry.call.released()
    entry.tell(None)
