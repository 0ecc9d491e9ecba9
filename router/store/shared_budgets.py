"""Changes of budgets in a PostgreSQL that several routers share, and what becomes of calls whose router is gone."""

from collections import Counter as Sums
from collections.abc import Iterable
from dataclasses import astuple, replace

from sqlalchemy import Integer, cast, func, select

from router.authorise import Identity
from router.budgets.budget import COST, EACH, MOST, REQUESTS, SECONDS, TOKENS, Amounts, Budget
from router.budgets.freeze import Freeze
from router.budgets.period import start, window
from router.budgets.recovery import lost
from router.budgets.ruling import share
from router.budgets.subjects import Subjects
from router.store.budgets import COLUMNS, Reserved
from router.store.database import AsyncEngine, reading
from router.store.postgres import Connection
from router.store.rows import BUDGETS, CALLS, FIELDS, NAMES, RESERVED_NAMES, budget_of
from router.store.schema import budget_uses
from router.store.shared import SharedWork, Transaction

_PUT = f"""INSERT INTO budgets ({NAMES}) VALUES ({", ".join(f"${number}" for number in range(1, len(FIELDS) + 1))})
ON CONFLICT (id) DO UPDATE SET {", ".join(f'"{name}" = excluded."{name}"' for name in FIELDS[1:])}"""  # noqa: S608 - our own names
_SUMS = {
    COST: "coalesce(sum(cost_microusd), 0)",
    TOKENS: "coalesce(sum(input_tokens + output_tokens), 0)",
    REQUESTS: "count(*)",
    SECONDS: "coalesce(sum((duration_micros + 999999) / 1000000), 0)",
}
_HOLD = """INSERT INTO budget_uses (budget, subject, "window", used, warned, held) VALUES ($1, $2, $3, 0, false, $4)
ON CONFLICT (budget, subject, "window") DO UPDATE SET held = excluded.held"""
_LOSE = f"""INSERT INTO budget_uses AS u (budget, subject, "window", used, warned, held)
VALUES ($1, $2, $3, $4, false, 0) ON CONFLICT (budget, subject, "window")
DO UPDATE SET used = least(u.used + excluded.used, {MOST}), held = greatest(u.held - $5, 0)"""  # noqa: S608 - our own names
_ORPHANS = f"""SELECT {RESERVED_NAMES} FROM reservations
WHERE NOT EXISTS (SELECT FROM routers WHERE routers.id = reservations.router)"""  # noqa: S608 - our own names
_KEEP = """INSERT INTO settings (name, value) VALUES ('freeze', $1)
ON CONFLICT (name) DO UPDATE SET value = excluded.value"""


class SharedUses:
    """Reads what is counted."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reading = reading(engine)

    async def most(self, budget: str, when: str) -> tuple[int, int, bool]:
        """Give the most that is used, and that is held, of a budget for any one subject in a window.

        And whether any was warned of. Raises SignetError.
        """
        uses = budget_uses.c
        most = [func.max(each) for each in (uses.used, uses.held, cast(uses.warned, Integer))]
        query = select(*most).where(uses.budget == budget, uses.window == when)
        async with self._reading.connect() as connection:
            row = (await connection.execute(query)).one()
        return row[0] or 0, row[1] or 0, bool(row[2])


class SharedChanges:
    """Makes SharedWork; times are the database's."""

    def put(self, budget: Budget, micros: int) -> SharedWork:
        """Store a budget."""

        async def work(given: Transaction) -> list[Budget]:
            old = next((each for each in given.budgets if each.id == budget.id), None)
            kept = replace(budget, create_micros=old.create_micros if old else given.micros)
            await given.connection.execute(_PUT, *astuple(kept))
            if old is None or not kept.counts_as(old):
                await given.connection.execute("DELETE FROM budget_uses WHERE budget = $1", kept.id)
                await _count(given.connection, kept, given.micros)
            else:
                again = "UPDATE budget_uses SET warned = false, held = 0 WHERE budget = $1"
                await given.connection.execute(again, kept.id)
            await _hold(given.connection, kept)
            return await _budgets(given.connection)

        return work

    def remove(self, ident: str) -> SharedWork:
        """Forget a budget and its counts."""

        async def work(given: Transaction) -> list[Budget]:
            await given.connection.execute("DELETE FROM budgets WHERE id = $1", ident)
            await given.connection.execute("DELETE FROM budget_uses WHERE budget = $1", ident)
            return await _budgets(given.connection)

        return work

    def keep(self, freeze: Freeze) -> SharedWork:
        """Store the stop switch."""

        async def work(given: Transaction) -> None:
            await given.connection.execute(_KEEP, freeze.text())

        return work


def bury(routers: Iterable[tuple[str, int]]) -> SharedWork:
    """Make the work of settling what routers held that are dead: each is named with its last sign of life.

    One that has given another sign since is left. It gives how many calls were lost.
    """
    dead = list(routers)

    async def work(given: Transaction) -> int:
        await given.connection.executemany("DELETE FROM routers WHERE id = $1 AND beat_micros = $2", dead)
        return await _settle_orphans(given)

    return work


async def leave(given: Transaction) -> int:
    """Do the work of ending: this router is one no more, and what it could not settle counts as lost."""
    await given.connection.execute("DELETE FROM routers WHERE id = $1", given.router)
    return await _settle_orphans(given)


async def _settle_orphans(given: Transaction) -> int:
    reserved = [Reserved(*row) for row in await given.connection.fetch(_ORPHANS)]
    if not reserved:
        return 0
    subjects = Subjects(given.budgets)
    rows, used = lost(reserved, subjects, given.micros)
    held = _held(reserved, subjects)
    await given.connection.executemany(CALLS, rows)
    await given.connection.executemany(_LOSE, [(*use, held[use[:3]]) for use in used])
    await given.connection.execute("DELETE FROM reservations WHERE id = ANY($1::text[])", [row.id for row in rows])
    return len(reserved)


def _held(reserved: Iterable[Reserved], subjects: Subjects) -> Sums[tuple[str, str, str]]:
    """Add up what calls hold in which counts."""
    sums: Sums[tuple[str, str, str]] = Sums()
    for call in reserved:
        who = Identity(call.caller, call.run, call.agent, call.session)
        most = Amounts(call.cost_microusd, call.input_tokens + call.output_tokens, call.seconds)
        for budget, subject in subjects.of(who, call.provider or call.model):
            sums[budget.id, subject, window(budget.period, call.time_micros)] += share(budget, most)
    return sums


async def _hold(connection: Connection, budget: Budget) -> None:
    """Have a budget's counts hold what all calls that run hold of it."""
    reserved = [Reserved(*row) for row in await connection.fetch(f"SELECT {RESERVED_NAMES} FROM reservations")]  # noqa: S608 - our own names
    held = _held(reserved, Subjects([budget]))
    await connection.executemany(_HOLD, [(*key, amount) for key, amount in held.items()])


async def _budgets(connection: Connection) -> list[Budget]:
    return [budget_of(row) for row in await connection.fetch(BUDGETS)]


async def _count(connection: Connection, budget: Budget, micros: int) -> None:
    """Make a budget's count from the ledger."""
    column = COLUMNS.get(budget.subject.partition("/")[0], "")
    each = budget.subject in EACH
    where = f"AND {column} != ''" if each else f"AND {column} = $2" if column else "AND $2 = ''"
    subject = column if each else "$2::text"
    group = f"GROUP BY {column}" if each else ""
    given: list[object] = [budget.id, "" if each else budget.subject, window(budget.period, micros)]
    if each:
        where += " AND $2 = ''"
    await connection.execute(
        f"""INSERT INTO budget_uses (budget, subject, "window", used, warned, held)
        SELECT $1, {subject}, $3, least({_SUMS[budget.measure]}, {MOST})::bigint, false, 0
        FROM calls WHERE time_micros >= $4 {where} {group}""",  # noqa: S608 - our own names
        *given,
        start(budget.period, micros),
    )
