"""The journal's groups in a PostgreSQL that several routers share: each group is decided there, and is one transaction.

Groups of all routers run side by side, under one lock that they share; what changes budgets has that lock alone. So a
group sees every budget that there is when it commits, and whoever counts anew sees every call that runs.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import asyncpg

from router.address import Address
from router.budgets.budget import Budget
from router.budgets.freeze import Freeze
from router.budgets.ruling import Ruling
from router.budgets.subjects import Subjects
from router.store.journal import Entry, Fenced, Kind, Unwritable
from router.store.ledger import Row
from router.store.postgres import NOW, Connection, Record, connect, hang_up
from router.store.rows import BUDGETS, CALLS, RESERVATIONS, budget_of
from signet.kit.log import Log

if TYPE_CHECKING:
    from router.budgets.reservation import Reservation

_LOCK = 0x5369676E657402
_KNOWN = 50_000
_GONE_SECONDS = 5

_BEGIN = f"BEGIN; SELECT pg_advisory_xact_lock_shared({_LOCK})"
_BEGIN_ALONE = f"BEGIN; SELECT pg_advisory_xact_lock({_LOCK})"
_STATE = f"""SELECT {NOW},
coalesce((SELECT revision FROM changes WHERE topic = 'budgets'), 0),
coalesce((SELECT revision FROM changes WHERE topic = 'settings'), 0),
(SELECT value FROM settings WHERE name = 'freeze'),
EXISTS (SELECT FROM routers WHERE id = $1)"""  # noqa: S608 - our own names
_HANG_UP = """SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity
WHERE application_name = $1 AND pid <> pg_backend_pid()"""
_KEYS = 'unnest($1::text[], $2::text[], $3::text[]) AS k (budget, subject, "window")'
_MAKE = f"""INSERT INTO budget_uses (budget, subject, "window", used, warned, held)
SELECT budget, subject, "window", 0, false, 0 FROM {_KEYS} ON CONFLICT DO NOTHING"""  # noqa: S608 - our own names
_COUNTS = f"""SELECT budget, subject, "window", used, held, warned
FROM budget_uses JOIN {_KEYS} USING (budget, subject, "window")
ORDER BY budget, subject, "window" FOR UPDATE OF budget_uses"""  # noqa: S608 - our own names
_COUNT = """UPDATE budget_uses AS u SET used = k.used, held = k.held, warned = k.warned
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::boolean[])
  AS k (budget, subject, "window", used, held, warned)
WHERE u.budget = k.budget AND u.subject = k.subject AND u."window" = k."window" """
_END = "DELETE FROM reservations WHERE id = ANY($1::text[]) RETURNING id"


class Clock(Protocol):
    """What is told the database's time, and says what time it is to be."""

    def at(self, micros: int) -> int:
        """Take the database's time; give the time to go by now."""

    def now(self) -> int:
        """Give the time between."""


@dataclass(frozen=True)
class Transaction:
    """What a SharedWork is given: it has the lock alone, and these are the budgets that there are."""

    connection: Connection
    router: str
    micros: int
    budgets: list[Budget]


SharedWork = Callable[[Transaction], Awaitable[Any]]


class SharedBackend:
    """Writes over one connection, which is made when it is needed, and again when it broke. A work is a SharedWork."""

    def __init__(self, address: Address, router: str, clock: Clock, log: Log) -> None:
        self.router = router
        self._address = address
        self._clock = clock
        self._log = log
        self._name = f"signet router {router}"
        self._connection: Connection | None = None
        self._broke = False
        self._revisions = (-1, -1)
        self._budgets: list[Budget] = []
        self._subjects = Subjects(())
        self._freeze = Freeze()
        self._known: set[tuple[str, str, str]] = set()
        self.take: Callable[[list[Budget]], None] = lambda _: None
        """Called with the budgets when they are others."""
        self.take_freeze: Callable[[Freeze], None] = lambda _: None
        """Called with the stop switch when it is changed."""

    async def write(self, batch: list[Entry]) -> Any:
        """Store a group."""
        connection = await self._connected()
        work = batch[0].work
        committing = False
        try:
            if work is not None:
                result = await work(await self._begin_alone(connection))
                told = None
            else:
                told, result = await self._group(connection, batch), None
            committing = True
            await connection.execute("COMMIT")
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.UntranslatableCharacterError):
            await self._undo(connection)
            raise
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            if isinstance(error, ValueError):  # asyncpg's word for a value that no column takes
                await self._undo(connection)
                raise
            self._drop()
            raise Unwritable(_said(error), doubtful=committing) from error
        except Exception:
            await self._undo(connection)
            raise
        except BaseException:
            self._drop()
            raise
        if told is not None:
            self._tell(told)
        return result

    async def look(self, connection: Connection) -> None:
        """Take up what others changed, over another connection and beside the groups. Raises as asyncpg does."""
        row = await connection.fetchrow(_STATE, self.router)
        if row is not None:
            self._clock.at(row[0])
            await self._take_up(connection, row)

    async def aclose(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await hang_up(connection)

    async def _connected(self) -> Connection:
        if self._connection is not None and self._connection.is_closed():
            self._drop()
        if self._connection is None:
            try:
                self._connection = await self._connect()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                raise Unwritable(_said(error)) from error
        return self._connection

    async def _connect(self) -> Connection:
        """Connect; what an earlier connection began is over when this returns, one way or the other."""
        connection = await connect(self._address, self._name)
        if self._broke:
            left = await connection.fetch(_HANG_UP, self._name, _GONE_SECONDS * 1000)
            if not all(row[0] for row in left):
                connection.terminate()
                raise ConnectionError("an earlier connection does not end")
            self._broke = False
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._broke = True
        if connection is not None:
            connection.terminate()

    async def _undo(self, connection: Connection) -> None:
        try:
            await connection.execute("ROLLBACK")
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            self._drop()

    async def _begin(self, connection: Connection, begin: str) -> int:
        """Begin a transaction and take up what was changed before it. Raises Fenced."""
        await connection.execute(begin)
        row = await connection.fetchrow(_STATE, self.router)
        if row is None or not row[4]:
            raise Fenced(
                "another router took this one for dead, and counted what it held: it ends, and has to be started anew"
            )
        await self._take_up(connection, row)
        return self._clock.at(row[0])

    async def _begin_alone(self, connection: Connection) -> Transaction:
        micros = await self._begin(connection, _BEGIN_ALONE)
        return Transaction(connection, self.router, micros, self._budgets)

    async def _take_up(self, connection: Connection, row: Record) -> None:
        budgets, settings = row[1], row[2]
        if budgets > self._revisions[0]:
            found = [budget_of(each) for each in await connection.fetch(BUDGETS)]
            if budgets > self._revisions[0]:  # a group and a look may do this side by side
                self._revisions = (budgets, self._revisions[1])
                self._known.clear()
                self._budgets, self._subjects = found, Subjects(found)
                self.take(found)
        if settings > self._revisions[1]:
            self._revisions = (self._revisions[0], settings)
            freeze = Freeze.parse(row[3]) if row[3] else Freeze()
            if freeze != self._freeze:
                self._freeze = freeze
                self.take_freeze(freeze)

    async def _group(self, connection: Connection, batch: list[Entry]) -> Ruling:
        micros = await self._begin(connection, _BEGIN)
        ruling = Ruling(self._subjects)
        reserves, ends = _sorted(batch)
        for call in reserves:
            call.call.micros = micros
        for entry in (*reserves, *ends):
            ruling.enter(entry.call)
        if keys := ruling.keys:
            ruling.load(await self._counts(connection, keys))
        await self._end(connection, ruling, ends)
        await self._reserve(connection, ruling, reserves)
        if changed := ruling.changed():
            await connection.execute(_COUNT, *zip(*changed, strict=True))
        return ruling

    async def _counts(
        self, connection: Connection, keys: list[tuple[str, str, str]]
    ) -> dict[tuple[str, str, str], tuple[int, int, bool]]:
        """Lock the counts, which are made first where there are none."""
        if missing := [key for key in keys if key not in self._known]:
            await connection.execute(_MAKE, *zip(*missing, strict=True))
        columns = list(zip(*keys, strict=True))
        rows = await connection.fetch(_COUNTS, *columns)
        if len(rows) < len(keys):  # somebody took them away by hand
            await connection.execute(_MAKE, *columns)
            rows = await connection.fetch(_COUNTS, *columns)
        return {(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in rows}

    async def _end(self, connection: Connection, ruling: Ruling, ends: "list[_Of]") -> None:
        """End reservations that are there; what of others is to be settled was settled before, by us or for us."""
        if not ends:
            return
        there = {row[0] for row in await connection.fetch(_END, [each.call.call for each in ends])}
        rows: list[Row] = []
        for each in ends:
            if each.call.call in there:
                ruling.end(each.call, each.entry.row)
                if each.entry.row is not None:
                    rows.append(each.entry.row)
            elif each.entry.row is not None:
                self._log.warning("call_settled_before", call=each.call.call)
        if rows:
            await connection.executemany(CALLS, rows)

    async def _reserve(self, connection: Connection, ruling: Ruling, reserves: "list[_Of]") -> None:
        admitted = []
        for each in reserves:
            each.entry.refusal = self._freeze.refusal() if self._freeze.frozen else ruling.admit(each.call)
            if each.entry.refusal is None:
                admitted.append((*each.call.values(), self.router))
        if admitted:
            await connection.executemany(RESERVATIONS, admitted)

    def _tell(self, ruling: Ruling) -> None:
        if len(self._known) > _KNOWN:
            self._known.clear()
        self._known.update(ruling.keys)
        for event, counter in ruling.said:
            self._log.warning(event, budget=counter.budget.id, subject=counter.subject, used=counter.used)


@dataclass(frozen=True)
class _Of:
    """An entry with its call."""

    entry: Entry
    call: "Reservation"


def _sorted(batch: list[Entry]) -> tuple[list[_Of], list[_Of]]:
    """Part reservations from ends. One that is given back before it is written is neither."""
    found = [_Of(entry, entry.call) for entry in batch if entry.call is not None]
    reserves = {each.call.call: each for each in found if each.entry.kind is Kind.RESERVE}
    ends = [each for each in found if each.entry.ends and reserves.pop(each.call.call, None) is None]
    return list(reserves.values()), ends


def _said(error: BaseException) -> str:
    text = str(error).splitlines()
    return text[0] if text else type(error).__name__


async def quietly(done: Awaitable[Any]) -> None:
    """Wait for something that the database may refuse."""
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, Unwritable, Fenced):
        await done
