"""Whatever comes, in whatever order, the meter decides and counts as a plain model: with cuts, crashes and restarts."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.store.database import open_database
from tests.unit.router.budgets.desk import Desk
from tests.unit.router.budgets.plain import STEPS, Router, play


class Alone:
    """A router with a database of its own."""

    many = 1

    def __init__(self, folder: Path) -> None:
        self.path = folder / "router.db"

    async def open(self, now: int) -> Router:
        self.desk = Desk(self.path, now)
        return self.desk

    async def lose(self, dead: Router, now: int, others: list[Router]) -> Router:
        del dead, others
        return await self.open(now)

    async def count(self, budget: str, subject: str, when: str) -> tuple[int, int | None]:
        return self.desk.kept.use(budget, subject, when)[0], None

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.desk.rows(query)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database once: migrations take longer than an example."""
    path = tmp_path_factory.mktemp("empty") / "router.db"
    asyncio.run(open_database(path).dispose())
    return path


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(STEPS, max_size=14))
def test_the_meter_does_as_a_plain_model(empty: Path, steps: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(empty, Path(folder) / "router.db")
        asyncio.run(play(steps, Alone(Path(folder))))
