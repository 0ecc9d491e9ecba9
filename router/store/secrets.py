"""The secrets that policies lend, as they are stored: sealed."""

from dataclasses import dataclass

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from router.store.database import reading, writing
from router.store.schema import secrets
from router.store.upsert import upsert
from signet.kit.errors import NotFound, PermissionDenied, ResourceExhausted, near

MAX_SECRETS = 10_000


@dataclass(frozen=True)
class Kept:
    """A secret without its value. `owner` is `agents/{agent}`, empty for everybody's; `use_micros` None is never."""

    id: str
    owner: str
    create_micros: int
    update_micros: int
    use_micros: int | None


class SecretStore:
    """Reads and writes secrets; a write is on disk when it returns."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = reading(engine)

    async def put(self, ident: str, owner: str, sealed: bytes, now_micros: int) -> Kept:
        """Store a sealed value, over an earlier one. Raises ResourceExhausted above MAX_SECRETS."""
        value = {"owner": owner, "sealed_value": sealed, "update_micros": now_micros}
        row = {"id": ident, "create_micros": now_micros, **value}
        query = upsert(self._engine, secrets, row, "create_micros")
        async with writing(self._engine) as connection:
            others = select(func.count()).select_from(secrets).where(secrets.c.id != ident)
            if (await connection.execute(others)).scalar_one() >= MAX_SECRETS:
                raise ResourceExhausted(
                    "LIMIT_REACHED", f"there are {MAX_SECRETS} secrets already", hint="signet secret delete"
                )
            await connection.execute(query)
            return _kept((await connection.execute(select(secrets).where(secrets.c.id == ident))).one())

    async def page(self, after: str, limit: int) -> list[Kept]:
        """Give secrets by name, those after one name."""
        query = select(secrets).where(secrets.c.id > after).order_by(secrets.c.id).limit(limit)
        async with self._reading.connect() as connection:
            return [_kept(row) for row in await connection.execute(query)]

    async def remove(self, ident: str) -> None:
        """Forget a secret. Raises NotFound."""
        async with writing(self._engine) as connection:
            result = await connection.execute(delete(secrets).where(secrets.c.id == ident))
            if result.rowcount == 0:
                names = (await connection.execute(select(secrets.c.id))).scalars().all()
                raise _missing(f"there is no secret {ident}.{near(ident, names)}")

    async def use(self, ident: str, agent: str, now_micros: int) -> tuple[str, bytes]:
        """Give owner and sealed value for an agent, and write down when. Raises NotFound, PermissionDenied."""
        query = update(secrets).where(secrets.c.id == ident).values(use_micros=now_micros)
        async with writing(self._engine) as connection:
            row = (await connection.execute(select(secrets).where(secrets.c.id == ident))).one_or_none()
            if row is None:
                raise _missing(f"there is no secret {ident}")
            if row.owner not in {"", agent}:
                raise PermissionDenied("SECRET_NOT_FOUND", f"the secret {ident} is another agent's")
            await connection.execute(query)
            return row.owner, row.sealed_value


def _missing(message: str) -> NotFound:
    return NotFound("SECRET_NOT_FOUND", message, hint="signet secret put")


def _kept(row: "Row[*tuple[object, ...]]") -> Kept:
    value = row._mapping  # noqa: SLF001 - sqlalchemy's public name for it
    return Kept(value["id"], value["owner"], value["create_micros"], value["update_micros"], value["use_micros"])
