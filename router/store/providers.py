"""What the router was told to keep: providers with their sealed keys, and the default model."""

import json
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from router.model import Spec
from router.price import Price
from router.store.database import reading, writing
from router.store.schema import providers, settings
from router.store.upsert import upsert
from signet.kit.errors import AlreadyExists, NotFound


@dataclass(frozen=True)
class Stored:
    """A provider as it is stored: its Spec without the key, and the key as the vault sealed it."""

    spec: Spec
    sealed_key: bytes | None


class ProviderStore:
    """Reads and writes providers and settings; a write is on disk when it returns."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = reading(engine)

    async def all(self) -> list[Stored]:
        """Give every provider, by id."""
        async with self._reading.connect() as connection:
            rows = (await connection.execute(select(providers).order_by(providers.c.id))).all()
        return [
            Stored(
                Spec(
                    id=row.id,
                    kind=row.kind,
                    base_url=row.base_url,
                    models=tuple(json.loads(row.models)),
                    price=Price(row.input_price, row.output_price),
                    create_micros=row.create_micros,
                ),
                row.sealed_key,
            )
            for row in rows
        ]

    async def add(self, stored: Stored) -> None:
        """Store a provider. Raises AlreadyExists."""
        spec = stored.spec
        row = {
            "id": spec.id,
            "kind": spec.kind,
            "base_url": spec.base_url,
            "models": json.dumps(spec.models),
            "input_price": spec.price.input_microusd_per_million,
            "output_price": spec.price.output_microusd_per_million,
            "sealed_key": stored.sealed_key,
            "create_micros": spec.create_micros,
        }
        try:
            async with writing(self._engine) as connection:
                await connection.execute(insert(providers).values(row))
        except IntegrityError as error:
            raise AlreadyExists("NAME_TAKEN", f"there is a provider {spec.id} already") from error

    async def rekey(self, ident: str, sealed_key: bytes | None) -> None:
        """Keep another key. Raises NotFound."""
        async with writing(self._engine) as connection:
            query = update(providers).where(providers.c.id == ident).values(sealed_key=sealed_key)
            result = await connection.execute(query)
        if result.rowcount == 0:
            raise NotFound("PROVIDER_NOT_FOUND", f"there is no provider {ident}")

    async def remove(self, ident: str) -> None:
        """Forget a provider and its key. Raises NotFound."""
        async with writing(self._engine) as connection:
            result = await connection.execute(delete(providers).where(providers.c.id == ident))
        if result.rowcount == 0:
            raise NotFound("PROVIDER_NOT_FOUND", f"there is no provider {ident}")

    async def default_model(self) -> str:
        """Give the chosen default, a public name without `models/`; empty where none was chosen."""
        async with self._reading.connect() as connection:
            row = (await connection.execute(select(settings.c.value).where(settings.c.name == "default_model"))).first()
        return row.value if row else ""

    async def choose_default_model(self, name: str) -> None:
        """Keep the default."""
        query = upsert(self._engine, settings, {"name": "default_model", "value": name})
        async with writing(self._engine) as connection:
            await connection.execute(query)
