"""What the router keeps is kept alike in a SQLite of its own and in a PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, inspect
from sqlalchemy.ext.asyncio import AsyncEngine

from router.address import Address
from router.apis.allow import rule
from router.apis.api import Api
from router.model import Spec
from router.price import Price
from router.routes.route import Route, Target
from router.store.apis import ApiStore
from router.store.database import open_database
from router.store.ledger import Filter, Ledger, Row
from router.store.postgres import open_shared
from router.store.providers import ProviderStore, Stored
from router.store.routes import RouteStore
from router.store.schema import HEAD, calls, metadata
from router.store.sealed import SealedStore
from router.store.secrets import SecretStore
from router.usage import Usage
from signet.kit.errors import AlreadyExists, NotFound
from tests.harness.postgres import Postgres
from tests.unit.router.replicas.desk import alone

DAY = 86_400_000_000
NOON = 1_795_262_400_000_000  # 2026-11-21 12:00 UTC


@pytest.fixture(params=["sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, server: Postgres, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """Open a new database of either kind, migrated by the whole chain."""
    if request.param == "sqlite":
        opened = open_database(tmp_path / "router.db")
    else:
        opened = await open_shared(Address(await server.database()), alone)
    yield opened
    await opened.dispose()


async def test_the_migrations_make_what_the_code_expects(engine: AsyncEngine) -> None:
    def look(connection: Any) -> None:
        found = inspect(connection)
        for table in metadata.sorted_tables:
            assert {column["name"] for column in found.get_columns(table.name)} == set(table.columns.keys())
            assert {index["name"] for index in found.get_indexes(table.name)} == {index.name for index in table.indexes}
            keys = [column.name for column in table.primary_key]
            assert found.get_pk_constraint(table.name)["constrained_columns"] == keys

    async with engine.connect() as connection:
        await connection.run_sync(look)
        found = await connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        assert found.scalar_one() == HEAD


async def test_providers_and_the_default(engine: AsyncEngine) -> None:
    store = ProviderStore(engine)
    spec = Spec("b", "OPENAI", "http://x/v1", models=("m", "n"), price=Price(1, None), create_micros=7)
    await store.add(Stored(spec, b"sealed"))
    await store.add(Stored(Spec("a", "OPENAI", "http://y/v1"), None))
    with pytest.raises(AlreadyExists):
        await store.add(Stored(spec, None))
    await store.rekey("a", b"other")
    assert [(each.spec.id, each.sealed_key) for each in await store.all()] == [("a", b"other"), ("b", b"sealed")]
    assert (await store.all())[1].spec == spec
    for missing in (store.rekey("c", None), store.remove("c")):
        with pytest.raises(NotFound):
            await missing
    await store.remove("a")
    for name in ("b/m", "b/n"):
        await store.choose_default_model(name)
        assert await store.default_model() == name


async def test_secrets_and_their_seals(engine: AsyncEngine) -> None:
    store = SecretStore(engine)
    await store.put("s", "", b"1", 10)
    await store.put("s", "agents/a", b"2", 11)
    kept = await store.put("s", "", b"3", 12)
    assert (kept.create_micros, kept.update_micros, kept.use_micros) == (10, 12, None)
    await store.used("s", "agents/a", 13)
    assert [(each.id, each.owner, each.use_micros) for each in await store.page(("", ""), 9)] == [
        ("s", "", None),
        ("s", "agents/a", 13),
    ]
    assert await store.sealed("s") == {"": b"3", "agents/a": b"2"}
    sealed = SealedStore(engine)
    assert await sealed.change(lambda each: each.text + b"!") == 2
    assert sorted(each.text for each in await sealed.all()) == [b"2!", b"3!"]
    await store.remove("s", "")
    with pytest.raises(NotFound):
        await store.remove("s", "")


async def test_routes_and_apis(engine: AsyncEngine) -> None:
    routes = RouteStore(engine)
    for route in (Route("fast", (Target("a", "m", weight=7),)), Route("fast", (Target("b", "n"), Target("a", "m")))):
        await routes.put(route)
        assert await routes.all() == [route]
    await routes.remove("fast")
    assert await routes.all() == []
    apis = ApiStore(engine)
    api = Api("news", "https://x", allow=(rule("GET /v1/*"),), agents=("agents/a",), call_price_microusd=5)
    await apis.put(api)
    await apis.put(Api("weather", "https://y"))
    assert await apis.get("news") == api
    assert [each.id for each in await apis.page("news", 9)] == ["weather"]
    await apis.remove("news")
    with pytest.raises(NotFound, match="there is no"):
        await apis.get("news")


async def test_the_ledger_is_summed_and_paged(engine: AsyncEngine) -> None:
    counts = {
        "input_tokens": 10,
        "output_tokens": 5,
        "cached_tokens": 4,
        "reasoning_tokens": 3,
        "cache_write_tokens": 2,
    }
    said: dict[str, Any] = {
        "caller": "tokens/t",
        "run": "",
        "session": "",
        "model": "models/m",
        "provider": "providers/p",
    }
    rows = [
        Row(
            id=f"c{number}",
            time_micros=NOON + number * DAY // 2,
            agent=f"agents/a{number % 2}",
            cost_microusd=None if number == 3 else 7,
            estimated=number == 2,
            outcome="answered",
            duration_micros=9,
            **{**said, **counts},
        )
        for number in range(4)
    ]
    async with engine.begin() as connection:
        await connection.execute(insert(calls), [row._asdict() for row in rows])
    ledger = Ledger(engine)
    total = await ledger.total(Filter(agent="agents/a0"))
    assert (total.usage, total.cost_microusd, total.calls) == (
        Usage(20, 10, 8, 6, estimated=True, cache_write_tokens=4), 14, 2
    )  # fmt: skip
    assert type(total.usage.input_tokens) is int
    assert (await ledger.total(Filter())).cost_microusd is None
    days = await ledger.totals("DAY", Filter(before_micros=NOON + DAY + 1), offset=0, limit=9)
    assert {day.key: day.calls for day in days} == {"2026-11-21": 1, "2026-11-22": 2}
    for dimension in ("AGENT", "MODEL", "RUN", "SESSION", "PROVIDER", "CALLER"):
        assert sum(each.calls for each in await ledger.totals(dimension, Filter(), offset=0, limit=9)) == 4
    found = await ledger.rows(Filter(), after=None, limit=2)
    found += await ledger.rows(Filter(), after=(found[1].time_micros, found[1].id), limit=9)
    assert found == rows[::-1]
    assert (await ledger.total(Filter(run="runs/none"))).calls == 0
