"""The secrets that policies lend, as they are stored: sealed, by name and owner."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Row, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from router.store.database import reading, writing
from router.store.schema import secrets
from router.store.upsert import upsert
from signet.kit.errors import NotFound, ResourceExhausted, near

MAX_SECRETS = 10_000


@dataclass(frozen=True)
class Kept:
    """A secret without its value.

    `owner` is `agents/{agent}`, `tokens/{token}`, or empty for everybody's; `use_micros` None is never. `origin` is a
    name of `signet.v1.SecretOrigin` without its prefix.
    """

    id: str
    owner: str
    create_micros: int
    update_micros: int
    use_micros: int | None
    origin: str = "STORED"


class SecretStore:
    """Reads and writes secrets; a write is on disk when it returns."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = reading(engine)

    async def put(self, ident: str, owner: str, sealed: bytes, now_micros: int) -> Kept:
        """Store a sealed value, over an earlier one. Raises ResourceExhausted above MAX_SECRETS."""
        row = {"id": ident, "owner": owner, "sealed_value": sealed, "update_micros": now_micros}
        query = upsert(self._engine, secrets, {**row, "create_micros": now_micros}, "create_micros")
        same = _same(ident, owner)
        async with writing(self._engine) as connection:
            others = select(func.count()).select_from(secrets).where(~same)
            if (await connection.execute(others)).scalar_one() >= MAX_SECRETS:
                raise ResourceExhausted(
                    "LIMIT_REACHED", f"there are {MAX_SECRETS} secrets already", hint="signet secret delete"
                )
            await connection.execute(query)
            return _kept((await connection.execute(select(secrets).where(same))).one())

    async def page(self, after: tuple[str, str], limit: int) -> list[Kept]:
        """Give secrets by name and owner, those after one."""
        name, owner = after
        query = select(secrets).order_by(secrets.c.id, secrets.c.owner).limit(limit)
        query = query.where(or_(secrets.c.id > name, and_(secrets.c.id == name, secrets.c.owner > owner)))
        async with self._reading.connect() as connection:
            return [_kept(row) for row in await connection.execute(query)]

    async def sealed(self, ident: str) -> dict[str, bytes]:
        """Give the sealed values of one name by their owners."""
        query = select(secrets.c.owner, secrets.c.sealed_value).where(secrets.c.id == ident)
        async with self._reading.connect() as connection:
            return {row.owner: row.sealed_value for row in await connection.execute(query)}

    async def remove(self, ident: str, owner: str) -> None:
        """Forget a secret. Raises NotFound."""
        async with writing(self._engine) as connection:
            result = await connection.execute(delete(secrets).where(_same(ident, owner)))
            if result.rowcount == 0:
                rows = (await connection.execute(select(secrets.c.id, secrets.c.owner))).all()
                raise _missing(ident, owner, [(row.id, row.owner) for row in rows])

    async def used(self, ident: str, owner: str, now_micros: int) -> None:
        """Write down when a secret was lent. Raises NotFound for one that is gone."""
        query = update(secrets).where(_same(ident, owner)).values(use_micros=now_micros)
        async with writing(self._engine) as connection:
            if (await connection.execute(query)).rowcount == 0:
                raise _missing(ident, owner, [])


def _same(ident: str, owner: str) -> ColumnElement[bool]:
    return and_(secrets.c.id == ident, secrets.c.owner == owner)


def _missing(ident: str, owner: str, known: list[tuple[str, str]]) -> NotFound:
    whose = f" of {owner}" if owner else ""
    others = [other or "everybody" for name, other in known if name == ident]
    if others:
        said = f"there is no secret {ident}{whose or ' of everybody'}; there is that of {', '.join(others[:5])}"
        return NotFound("SECRET_NOT_FOUND", said, hint="signet secret list")
    message = f"there is no secret {ident}{whose}.{near(ident, {name for name, _ in known})}"
    return NotFound("SECRET_NOT_FOUND", message, hint="signet secret put")


def _kept(row: "Row[*tuple[object, ...]]") -> Kept:
    value = row._mapping  # noqa: SLF001 - sqlalchemy's public name for it
    return Kept(value["id"], value["owner"], value["create_micros"], value["update_micros"], value["use_micros"])
