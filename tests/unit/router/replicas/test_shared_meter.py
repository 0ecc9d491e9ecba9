"""Several routers on one database decide as one: no limit is passed by one micro-dollar, whoever asks and dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from router.address import Address
from router.budgets.budget import Budget
from router.refusal import Refusal
from tests.unit.router.budgets.desk import row
from tests.unit.router.replicas.desk import SharedDesk, shared_desk


@pytest.fixture
async def desks(address: Address) -> AsyncIterator[list[SharedDesk]]:
    """Open three routers."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(shared_desk(address)) for _ in range(3)]


async def test_two_hundred_calls_over_three_routers_do_not_overspend_by_one_micro_dollar(
    desks: list[SharedDesk],
) -> None:
    await desks[0].meter.put(Budget("tight", limit=1_049))
    codes: set[str] = set()

    async def call(desk: SharedDesk) -> int:
        try:
            reservation = await desk.reserve(100)
        except Refusal as refusal:
            codes.add(refusal.code)
            return 0
        async with reservation:
            await asyncio.sleep(0)
            await reservation.settle(row(reservation, 100))
        return 100

    spent = sum(await asyncio.gather(*(call(desks[number % 3]) for number in range(200))))
    assert spent == 1_000
    assert codes == {"budget_exhausted"}
    assert await desks[1].used("tight") == 1_000
    assert await desks[1].held("tight") == 0
    assert await desks[2].rows("SELECT sum(cost_microusd)::int, count(*) FROM calls") == [(1_000, 10)]
    assert await desks[2].rows("SELECT * FROM reservations") == []
