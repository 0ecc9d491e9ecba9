"""Every sealed value, wherever it is stored: for those who look after the vault's key."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from router.store.database import reading, writing
from router.store.schema import providers, secrets
from router.vault import key_of, secret_of


@dataclass(frozen=True)
class Place:
    """A column of sealed values: what it is called, and what one of a row is bound to."""

    table: Table
    column: str
    bound: Callable[["Row[Any]"], bytes]
    title: Callable[["Row[Any]"], str]


PLACES = (
    Place(providers, "sealed_key", lambda row: key_of(row.id, row.base_url), lambda row: f"providers/{row.id}"),
    Place(secrets, "sealed_value", lambda row: secret_of(row.id, row.owner), lambda row: f"secrets/{row.id}"),
)
"""Whoever stores sealed values elsewhere adds that here: else they would be lost with the key before."""


@dataclass(frozen=True)
class Sealed:
    """A sealed value: of what it is, for people, what it is bound to, and itself."""

    title: str
    bound: bytes
    text: bytes


class SealedStore:
    """Reads all of them, and changes all of them at once."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = reading(engine)

    async def all(self) -> list[Sealed]:
        """Give every sealed value."""
        async with self._reading.connect() as connection:
            return [sealed async for _, _, sealed in _every(connection)]

    async def change(self, again: Callable[[Sealed], bytes]) -> int:
        """Put another text in the place of each, in one transaction; says how many. What `again` raises ends it."""
        count = 0
        async with writing(self._engine) as connection:
            found = [item async for item in _every(connection, locking=True)]
            for place, row, sealed in found:
                text = again(sealed)
                if text == sealed.text:
                    continue
                same = and_(*(column == row._mapping[column.name] for column in place.table.primary_key))  # noqa: SLF001 - sqlalchemy's public name for it
                await connection.execute(update(place.table).where(same).values({place.column: text}))
                count += 1
        return count


async def _every(
    connection: AsyncConnection, *, locking: bool = False
) -> AsyncIterator[tuple[Place, "Row[Any]", Sealed]]:
    for place in PLACES:
        query = select(place.table).where(place.table.c[place.column].is_not(None))
        if locking:
            query = query.with_for_update()  # SQLite, which has one writer, knows nothing of it and needs it not
        for row in (await connection.execute(query)).all():
            yield place, row, Sealed(place.title(row), place.bound(row), row._mapping[place.column])  # noqa: SLF001 - as above
