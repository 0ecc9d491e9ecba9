"""Storing a row over an earlier one, in whichever database it is."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import Executable


def upsert(engine: AsyncEngine, table: Table, row: Mapping[str, Any], *kept: str) -> Executable:
    """Make the statement that stores a row; of an earlier one with its primary key, only columns in `kept` stay."""
    keys = [column.name for column in table.primary_key]
    changed = {name: value for name, value in row.items() if name not in (*keys, *kept)}
    if engine.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).values(row).on_conflict_do_update(index_elements=keys, set_=changed)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table).values(row).on_conflict_do_update(index_elements=keys, set_=changed)
