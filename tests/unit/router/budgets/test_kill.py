"""A router that is killed at any moment forgets no call that it answered, and gives back none that it sent."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from router.budgets.budget import Budget
from tests.unit.router.budgets.desk import Desk, desk

ROOT = Path(__file__).parents[4]
LIMIT = 20_000


@pytest.mark.parametrize("lines", [1, 97, 401])
async def test_a_killed_router_overspends_nothing_and_forgets_nothing(tmp_path: Path, lines: int) -> None:
    async with desk(tmp_path) as first:
        await first.meter.put(Budget("money", limit=LIMIT))
    path = tmp_path / "router.db"
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.unit.router.budgets.victim", str(path), stdout=PIPE, cwd=ROOT
    )
    assert victim.stdout is not None
    said = [(await victim.stdout.readline()).split() for _ in range(lines)]
    victim.kill()
    said += [line.split() for line in (await victim.stdout.read()).splitlines()]
    await victim.wait()

    after = Desk(path)
    rows = {
        ident: (outcome, cost) for ident, outcome, cost in after.rows("SELECT id, outcome, cost_microusd FROM calls")
    }
    for word, ident, *cost in (line for line in said if len(line) > 1):
        outcome, counted = rows[ident.decode()]
        if word == b"settled" and cost:
            assert (outcome, counted) == ("answered", int(cost[0]))
        else:
            assert outcome == "answered" or (outcome, counted) == ("lost", 100)
    assert after.rows("SELECT * FROM reservations") == []
    assert after.used("money") == sum(cost for _, cost in rows.values()) <= LIMIT
    await after.aclose()
