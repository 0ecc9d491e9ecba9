"""Routes cost next to nothing while nobody asks for them, however many there are."""

import asyncio
import gc
import threading
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from router.routes import lanes
from router.routes.route import Route, Target
from router.routes.table import Table
from router.store.database import open_database
from router.store.routes import RouteStore
from tests.fakes.provider import FakeProvider
from tests.unit.router.rig import code, rig
from tests.unit.router.routes.bench import Bench, error, target, text

MANY = 10_000


async def fill(path: Path) -> None:
    """Store many routes, two targets each."""
    engine = open_database(path)
    try:
        store = RouteStore(engine)
        await store.put(Route("r0", (Target("fake", "fake-small"), Target("fake", "fake-large"))))
        from sqlalchemy import insert, select

        from router.store.schema import routes

        async with engine.begin() as connection:
            row = dict((await connection.execute(select(routes))).one()._mapping)
            await connection.execute(insert(routes), [{**row, "id": f"r{number}"} for number in range(1, MANY)])
    finally:
        await engine.dispose()


async def test_ten_thousand_take_a_kilobyte_each_and_nothing_runs_for_them(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    await fill(path)
    engine = open_database(path)
    try:
        table = Table(RouteStore(engine), lambda: None)
        tasks, threads = len(asyncio.all_tasks()), threading.active_count()
        gc.collect()
        tracemalloc.start()
        await table.reload()
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert table.find("r9999") is not None
        assert used / MANY < 1_500
        assert len(asyncio.all_tasks()) == tasks
        assert threading.active_count() <= threads + 1  # the database's own
    finally:
        await engine.dispose()


async def test_a_router_with_ten_thousand_serves_each_and_makes_nothing_for_the_others(tmp_path: Path) -> None:
    async with FakeProvider() as fake:
        async with rig(tmp_path / "home", fake) as running:
            database = running.home.router / "router.db"
        await fill(database)
        async with rig(tmp_path / "home") as running:
            bench = Bench(running, [fake])
            fleet = running.app.fleet
            tasks = len(asyncio.all_tasks())
            assert fleet._lineups == {}
            assert text(await bench.ask("r7777")) == "You said: hi"
            assert set(fleet._lineups) == {"r7777"}
            assert len(fleet._lanes._lanes) == 2
            assert len(asyncio.all_tasks()) <= tasks
            assert fleet.lineup("r7777") is fleet.lineup("r7777")
            answer = await bench.ask("r99999")
            assert code(answer) == (404, "model_not_found")
            assert "Did you mean r9999" in error(answer)


async def test_names_that_all_fail_do_not_fill_the_memory_and_calls_that_run_keep_their_lane(
    opened: Callable[..., Awaitable[Bench]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_MOST", 4)
    bench = await opened(1)
    fleet = bench.running.app.fleet
    for number in range(20):
        await bench.put(f"r{number}", target("a", f"m{number}"))
        lane = fleet.lineup(f"r{number}").stops[0].lane
        assert lane is not None
        lane.circuit.failed(0, probe=False)
        lane.active = int(number == 0)
        assert len(fleet._lanes._lanes) <= 4
    assert {upstream for _, upstream in fleet._lanes._lanes} >= {"m0", "m19"}
    for number in range(20):
        stop = fleet.lineup(f"r{number}").stops[0]
        assert stop.lane is fleet._lanes.get(fleet.provider("a"), stop.target.upstream), "two lanes of one target"
