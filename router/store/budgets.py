"""Budgets, their counts, the stop switch and reservations in the router's SQLite."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from router.budgets.budget import COST, EACH, REQUESTS, SECONDS, TOKENS, Budget
from router.budgets.freeze import Freeze
from router.budgets.period import start, window
from router.store.database import BUSY_SECONDS
from router.store.ledger import INSERT, Row
from router.store.local import RESERVED, LocalWork

_FIELDS = [field.name for field in fields(Budget)]
_NAMES = ", ".join(f'"{name}"' for name in _FIELDS)
_PUT = f"INSERT OR REPLACE INTO budgets ({_NAMES}) VALUES ({', '.join('?' * len(_FIELDS))})"  # noqa: S608 - our own names
COLUMNS = {
    "agents": "agent", "sessions": "session", "runs": "run", "tokens": "caller", "providers": "provider",
    "apis": "model",
}  # fmt: skip
_SUMS = {
    COST: "coalesce(sum(cost_microusd), 0)",
    TOKENS: "coalesce(sum(input_tokens + output_tokens), 0)",
    REQUESTS: "count(*)",
    SECONDS: "coalesce(sum((duration_micros + 999999) / 1000000), 0)",
}
_USE = """INSERT INTO budget_uses (budget, subject, "window", used, warned) VALUES (?, ?, ?, ?, 0)
ON CONFLICT DO UPDATE SET used = min(used + excluded.used, 1 << 61)"""


@dataclass(frozen=True)
class Reserved:
    """A reservation as it is stored; its fields are the table's columns, in the order of RESERVED."""

    id: str
    time_micros: int
    caller: str
    run: str
    agent: str
    session: str
    model: str
    provider: str
    upstream_model: str
    price_source: str
    input_tokens: int
    output_tokens: int
    seconds: int
    cost_microusd: int | None


class BudgetStore:
    """Reads, on connections of its own; a read of one count takes some microseconds, so it is not awaited.

    Raises sqlite3.Error.
    """

    def __init__(self, path: Path) -> None:
        self._reading, self._listing = (
            sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False) for _ in range(2)
        )
        for connection in (self._reading, self._listing):
            connection.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        """End the connection."""
        self._reading.close()
        self._listing.close()

    def budgets(self) -> list[Budget]:
        """Give all, by id."""
        return _budgets(self._reading)

    def use(self, budget: str, subject: str, when: str) -> tuple[int, bool]:
        """Give what is settled of a budget for a subject in a window, and whether it was warned of."""
        query = 'SELECT used, warned FROM budget_uses WHERE budget = ? AND subject = ? AND "window" = ?'
        row = self._reading.execute(query, (budget, subject, when)).fetchone()
        return (row[0], bool(row[1])) if row else (0, False)

    def most(self, budget: str, when: str) -> tuple[int, bool]:
        """Give the most that is settled of it for any one subject in a window, and whether any was warned.

        It may look at many: call it from a thread.
        """
        query = 'SELECT max(used), max(warned) FROM budget_uses WHERE budget = ? AND "window" = ?'
        row = self._listing.execute(query, (budget, when)).fetchone()
        return row[0] or 0, bool(row[1])

    def freeze(self) -> Freeze:
        """Give how the stop switch stands."""
        row = self._reading.execute("SELECT value FROM settings WHERE name = 'freeze'").fetchone()
        return Freeze.parse(row[0]) if row else Freeze()

    def reserved(self) -> list[Reserved]:
        """Give every reservation."""
        return [Reserved(*row) for row in self._reading.execute(f"SELECT {', '.join(RESERVED)} FROM reservations")]  # noqa: S608 - our own names


class LocalChanges:
    """Makes LocalWork."""

    def put(self, budget: Budget, micros: int) -> LocalWork:
        """Store a budget."""

        def work(connection: sqlite3.Connection) -> list[Budget]:
            old = next((each for each in _budgets(connection) if each.id == budget.id), None)
            kept = replace(budget, create_micros=old.create_micros if old else micros)
            connection.execute(_PUT, tuple(getattr(kept, name) for name in _FIELDS))
            if old is None or not kept.counts_as(old):
                connection.execute("DELETE FROM budget_uses WHERE budget = ?", (kept.id,))
                _count(connection, kept, micros)
            else:
                connection.execute("UPDATE budget_uses SET warned = 0 WHERE budget = ?", (kept.id,))
            return _budgets(connection)

        return work

    def remove(self, ident: str) -> LocalWork:
        """Forget a budget and its counts."""

        def work(connection: sqlite3.Connection) -> list[Budget]:
            connection.execute("DELETE FROM budgets WHERE id = ?", (ident,))
            connection.execute("DELETE FROM budget_uses WHERE budget = ?", (ident,))
            return _budgets(connection)

        return work

    def keep(self, freeze: Freeze) -> LocalWork:
        """Store the stop switch."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO settings (name, value) VALUES ('freeze', ?)", (freeze.text(),))

        return work


def end(rows: Iterable[Row], uses: Iterable[tuple[str, str, str, int]]) -> LocalWork:
    """Make the work of ending every reservation.

    `rows` is what becomes of each in the ledger, `uses` what that adds to counts: budget, subject, window and amount.
    """
    ended, counted = list(rows), list(uses)

    def work(connection: sqlite3.Connection) -> None:
        connection.executemany(INSERT.replace("INSERT", "INSERT OR IGNORE", 1), ended)
        connection.executemany(_USE, counted)
        connection.executemany("DELETE FROM reservations WHERE id = ?", [row[:1] for row in ended])

    return work


def _budgets(connection: sqlite3.Connection) -> list[Budget]:
    rows = connection.execute(f"SELECT {_NAMES} FROM budgets ORDER BY id")  # noqa: S608 - our own names
    return [Budget(**{**dict(zip(_FIELDS, row, strict=True)), "soft": bool(row[6])}) for row in rows]


def _count(connection: sqlite3.Connection, budget: Budget, micros: int) -> None:
    """Make a budget's count from the ledger."""
    column = COLUMNS.get(budget.subject.partition("/")[0], "")
    each = budget.subject in EACH
    subject = column if each else "?"
    where = f"AND {column} != ''" if each else f"AND {column} = ?" if column else ""
    group = f"GROUP BY {column}" if each else ""
    counted = f"min({_SUMS[budget.measure]}, 1 << 61)"
    found = f"SELECT ?, {subject}, ?, {counted}, 0 FROM calls WHERE time_micros >= ? {where} {group}"  # noqa: S608 - our own names
    query = f'INSERT INTO budget_uses (budget, subject, "window", used, warned) {found}'
    given: list[object] = [budget.id]
    given += [] if each else [budget.subject]
    given += [window(budget.period, micros), start(budget.period, micros)]
    given += [budget.subject] if where and not each else []
    connection.execute(query, given)
