"""Rows of a shared database as PostgreSQL's own statements take and give them."""

from dataclasses import fields

from router.budgets.budget import Budget
from router.store.ledger import Row
from router.store.local import RESERVED
from router.store.postgres import Record


def _insert(table: str, columns: tuple[str, ...]) -> str:
    values = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608 - our own names


FIELDS = tuple(field.name for field in fields(Budget))
NAMES = ", ".join(f'"{name}"' for name in FIELDS)
BUDGETS = f'SELECT {NAMES} FROM budgets ORDER BY id COLLATE "C"'  # noqa: S608 - our own names
CALLS = _insert("calls", Row._fields)
RESERVATIONS = _insert("reservations", (*RESERVED, "router"))
RESERVED_NAMES = ", ".join(RESERVED)


def budget_of(row: Record) -> Budget:
    """Read a budget."""
    return Budget(**{name: row[name] for name in FIELDS})
