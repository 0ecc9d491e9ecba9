"""Routes, as they are stored: a row for each, with its targets as JSON."""

import json
from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from router.routes.route import Route, Target
from router.store.database import reading, writing
from router.store.schema import routes
from router.store.upsert import upsert


class RouteStore:
    """Reads and writes routes; a write is on disk when it returns."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = reading(engine)

    async def all(self) -> list[Route]:
        """Give every route, by name."""
        async with self._reading.connect() as connection:
            rows = (await connection.execute(select(routes).order_by(routes.c.id))).all()
        return [_route(row) for row in rows]

    async def put(self, route: Route) -> None:
        """Store a route, over an earlier one of its name. Raises SignetError."""
        targets = [
            [each.provider, each.upstream, each.weight, each.concurrency, each.context_tokens, list(each.capabilities)]
            for each in route.targets
        ]
        row = {
            "id": route.name,
            "targets": json.dumps(targets, separators=(",", ":")),
            "preference": route.preference,
            "hedge_millis": route.hedge_millis,
            "repeat_timeouts": route.repeat_timeouts,
            "description": route.description,
            "update_micros": route.update_micros,
        }
        async with writing(self._engine) as connection:
            await connection.execute(upsert(self._engine, routes, row))

    async def remove(self, name: str) -> None:
        """Forget a route, if there is one. Raises SignetError."""
        async with writing(self._engine) as connection:
            await connection.execute(delete(routes).where(routes.c.id == name))


def _route(row: Row[Any]) -> Route:
    targets = tuple(
        Target(provider, upstream, weight, concurrency, context_tokens, tuple(capabilities))
        for provider, upstream, weight, concurrency, context_tokens, capabilities in json.loads(row.targets)
    )
    return Route(
        row.id, targets, row.preference, row.hedge_millis, row.repeat_timeouts, row.description, row.update_micros
    )
