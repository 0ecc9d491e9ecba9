"""HTTP APIs other than models, as they are stored; their credentials are secrets, which are stored apart."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from router.apis.allow import rule
from router.apis.api import MAX_APIS, Api
from router.apis.place import place
from router.store.database import reading, writing
from router.store.schema import apis
from signet.kit.errors import NotFound, ResourceExhausted, Unavailable, near


class ApiStore:
    """Reads and writes APIs; a write is on disk when it returns. Raises Unavailable where the database cannot."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = reading(engine)

    async def put(self, api: Api) -> Api:
        """Store an API, over an earlier one. Raises ResourceExhausted above MAX_APIS."""
        values = _values(api)
        async with writing(self._engine) as connection:
            result = await connection.execute(update(apis).where(apis.c.id == api.id).values(values))
            if result.rowcount == 0:
                if (await connection.execute(select(func.count()).select_from(apis))).scalar_one() >= MAX_APIS:
                    message = f"there are {MAX_APIS} APIs already"
                    raise ResourceExhausted("LIMIT_REACHED", message, hint="signet api remove")
                await connection.execute(insert(apis).values(id=api.id, **values))
        return api

    async def find(self, ident: str) -> Api | None:
        """Give an API, None where there is none of the name."""
        async with self._read() as connection:
            row = (await connection.execute(select(apis).where(apis.c.id == ident))).one_or_none()
        return _api(row) if row is not None else None

    async def get(self, ident: str) -> Api:
        """Give an API. Raises NotFound."""
        found = await self.find(ident)
        if found is None:
            raise _missing(ident, [api.id for api in await self.all()])
        return found

    async def all(self) -> list[Api]:
        """Give every API by name, at most MAX_APIS."""
        return await self.page("", MAX_APIS)

    async def page(self, after: str, limit: int) -> list[Api]:
        """Give APIs by name, those after one name."""
        query = select(apis).where(apis.c.id > after).order_by(apis.c.id).limit(limit)
        async with self._read() as connection:
            return [_api(row) for row in await connection.execute(query)]

    async def remove(self, ident: str) -> None:
        """Forget an API. Raises NotFound."""
        async with writing(self._engine) as connection:
            result = await connection.execute(delete(apis).where(apis.c.id == ident))
            if result.rowcount == 0:
                raise _missing(ident, (await connection.execute(select(apis.c.id))).scalars().all())

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._reading.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            message = f"the router's database cannot be read ({type(error).__name__})"
            raise Unavailable("STORE_UNAVAILABLE", message, hint="signet doctor") from error


def _missing(ident: str, names: Iterable[str]) -> NotFound:
    return NotFound("API_NOT_FOUND", f"there is no API {ident}.{near(ident, names)}", hint="signet api list")


def _values(api: Api) -> dict[str, object]:
    return {
        "base_url": api.base_url,
        "secret": api.secret,
        "placement": str(api.place),
        "allow": json.dumps([str(each) for each in api.allow]),
        "agents": json.dumps(api.agents),
        "call_price": api.call_price_microusd,
        "calls_per_minute": api.calls_per_minute,
        "answer_bytes": api.answer_bytes,
        "description": api.description,
        "update_micros": api.update_micros,
    }


def _api(row: "Row[*tuple[object, ...]]") -> Api:
    value = row._mapping  # noqa: SLF001 - sqlalchemy's public name for it
    return Api(
        id=value["id"],
        base_url=value["base_url"],
        secret=value["secret"],
        place=place(value["placement"]),
        allow=tuple(rule(text) for text in json.loads(value["allow"])),
        agents=tuple(json.loads(value["agents"])),
        call_price_microusd=value["call_price"],
        calls_per_minute=value["calls_per_minute"],
        answer_bytes=value["answer_bytes"],
        description=value["description"],
        update_micros=value["update_micros"],
    )
