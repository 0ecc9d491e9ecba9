"""Several routers on one database decide as one: no limit is passed by one micro-dollar, whoever asks and dies."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest

from router.address import Address
from router.budgets.budget import REQUESTS, TOKENS, Budget
from router.budgets.freeze import Freeze
from router.budgets.period import DAY as DAILY
from router.refusal import Refusal
from router.replicas.clock import SharedClock
from router.store.postgres import NOW, Connection
from router.store.shared_budgets import bury
from tests.unit.router.budgets.desk import DAY, row, who
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


async def test_a_refusal_is_the_same_as_that_of_a_router_alone(desks: list[SharedDesk]) -> None:
    first, second, _ = desks
    await first.meter.put(Budget("each", "agents/-", limit=1_500_000, period=DAILY))
    reservation = await first.reserve(1_000_000)
    with pytest.raises(Refusal, match=r"\$1.00 held by calls that run") as caught:
        await second.reserve(600_000)
    assert caught.value.retry_after_seconds == 1
    await reservation.settle(row(reservation, 1_000_000))
    with pytest.raises(Refusal) as caught:
        await second.reserve(600_000)
    assert (caught.value.status, caught.value.code) == (402, "budget_exhausted")
    assert caught.value.message == (
        "budgets/each of agents/a1 is used up: $1.00 of $1.50 are used, and this call may take $0.60; it begins anew "
        "at 2026-11-22T00:00:00Z"
    )
    assert caught.value.retry_after_seconds == 43_200
    await (await second.reserve(600_000, who("a2"))).release()
    await second.meter.put(Budget("calls", measure=REQUESTS, limit=0))
    with pytest.raises(Refusal) as caught:
        await first.reserve(1, who("a2"))
    assert (caught.value.status, caught.value.code) == (429, "budget_exhausted")
    await second.meter.delete("calls")
    with pytest.raises(Refusal, match="nobody knows what models/acme/large costs") as caught:
        await first.reserve(None)
    assert (caught.value.status, caught.value.code) == (402, "price_unknown")


async def test_what_one_router_does_not_use_another_one_can(desks: list[SharedDesk]) -> None:
    await desks[0].meter.put(Budget("tight", limit=100))
    for first, second in ((0, 1), (1, 2)):
        reservation = await desks[first].reserve(60)
        with pytest.raises(Refusal):
            await desks[second].reserve(60)
        await reservation.settle(row(reservation, 20))
    reservation = await desks[2].reserve(60)
    await reservation.release()
    await (await desks[0].reserve(60)).release()
    assert (await desks[0].used("tight"), await desks[0].held("tight")) == (40, 0)


async def test_a_budget_holds_at_once_for_every_router_and_counts_what_runs_at_any(desks: list[SharedDesk]) -> None:
    old = await desks[0].reserve(100)
    await old.settle(row(old, 70))
    running = [await desk.reserve(100) for desk in desks]
    await desks[2].meter.put(Budget("all", limit=400))
    await desks[2].meter.put(Budget("each", "agents/-", TOKENS, limit=400))
    assert (await desks[1].meter.state(desks[2].meter.budget("all")))[:2] == (70, 300)
    assert (await desks[1].meter.state(desks[2].meter.budget("each")))[:2] == (5, 30)
    for desk in desks:
        with pytest.raises(Refusal, match="budgets/all"):
            await desk.reserve(31)
    for reservation in running:
        await reservation.settle(row(reservation, 10))
    assert (await desks[0].used("all"), await desks[0].held("all")) == (100, 0)
    await desks[1].meter.put(Budget("all", limit=50))  # the count stays
    assert await desks[1].used("all") == 100
    await desks[1].meter.put(Budget("all", measure=TOKENS, limit=50))
    assert await desks[1].used("all") == 20
    await desks[0].meter.delete("all")
    assert await desks[0].rows("SELECT * FROM budget_uses WHERE budget = 'all'") == []
    await (await desks[2].reserve(1_000)).release()


async def test_a_soft_budget_warns_once_among_all(desks: list[SharedDesk]) -> None:
    await desks[0].meter.put(Budget("soft", limit=100, warn_at=60, soft=True))
    for number in range(4):
        reservation = await desks[number % 3].reserve(1_000)
        await reservation.settle(row(reservation, 40))
    assert await desks[0].used("soft") == 160
    assert sorted(event for desk in desks for event in desk.log.events) == ["budget_exceeded", "budget_warned"]
    huge = [await desks[0].reserve(1 << 62) for _ in range(9)]  # more than 64 bits hold
    await asyncio.gather(*(each.release() for each in huge))
    assert await desks[0].held("soft") == 0


async def test_the_stop_switch_stops_every_router_at_once_and_cuts_where_calls_run(desks: list[SharedDesk]) -> None:
    began = asyncio.Event()

    async def call() -> None:
        async with await desks[1].reserve(100) as reservation:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                await reservation.settle(row(reservation, 10, outcome="left"))

    task = asyncio.create_task(call())
    await began.wait()
    await desks[0].meter.set_freeze(Freeze(frozen=True, reason="leak", caller="tokens/me"), cut=True)
    for desk in desks:
        with pytest.raises(Refusal, match="stopped by tokens/me: leak") as caught:
            await desk.reserve()
        assert (caught.value.status, caught.value.code) == (402, "spending_frozen")
    with pytest.raises(Refusal) as caught:
        await task
    assert caught.value.code == "spending_frozen"
    assert await desks[1].rows() == [("left", 10)]
    await desks[2].meter.set_freeze(Freeze(caller="tokens/me"), cut=False)
    await desks[2].reserve()


async def test_a_dead_router_is_settled_once_at_the_worst_case_whoever_finds_out(desks: list[SharedDesk]) -> None:
    await desks[0].meter.put(Budget("daily", limit=1_000, period=DAILY))
    done = await desks[0].reserve(100)
    await done.settle(row(done, 60))
    for cost, agent in ((300, "a1"), (200, "a2")):
        await desks[0].reserve(cost, who(agent))
    other = await desks[1].reserve(100)
    await desks[0].crash()
    for desk in desks[1:]:
        desk.now += DAY
    lost = await asyncio.gather(*(desk.bury(desks[0]) for desk in desks[1:] for _ in range(3)))
    assert sorted(lost) == [0, 0, 0, 0, 0, 2]
    assert await desks[1].rows("SELECT outcome, cost_microusd, estimated FROM calls ORDER BY cost_microusd") == [
        ("answered", 60, False),
        ("lost", 200, True),
        ("lost", 300, True),
    ]
    assert (await desks[1].used("daily"), await desks[1].held("daily")) == (0, 0)
    desks[1].now -= DAY
    assert (await desks[1].used("daily"), await desks[1].held("daily")) == (560, 100)
    await other.settle(row(other, 100))
    assert (await desks[1].used("daily"), await desks[1].held("daily")) == (660, 0)
    await desks[0].start_again()


async def test_who_was_taken_for_dead_counts_nothing_twice_and_begins_nothing(desks: list[SharedDesk]) -> None:
    paused, other, _ = desks
    await other.meter.put(Budget("money", limit=1_000))
    held = [await paused.reserve(100) for _ in range(3)]
    assert await other.bury(paused) == 3
    await held[0].settle(row(held[0], 70))  # its answer is there: whoever waits for it gets it
    await held[1].release()
    with pytest.raises(Refusal, match="took this one for dead") as caught:
        await paused.reserve(1)
    assert (caught.value.status, caught.value.code) == (503, "ledger_unavailable")
    assert paused.journal.fenced.is_set()
    assert (await other.used("money"), await other.held("money")) == (300, 0)
    assert await other.rows() == [("lost", 100)] * 3


async def test_a_router_that_gave_a_sign_since_is_not_buried(desks: list[SharedDesk]) -> None:
    await desks[0].reserve(100)
    late: list[int] = []
    await desks[1].journal.work(bury([(desks[0].router, 1)]), late.append).stored()
    assert late == [0]
    await desks[0].reserve(100)


class Cutting:
    """A connection that hangs up after a statement."""

    def __init__(self, real: Connection, after: str) -> None:
        self._real = real
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def execute(self, query: str, *given: Any) -> str:
        answer = await self._real.execute(query, *given)
        if query.startswith(self._after):
            raise ConnectionResetError("it hung up")
        return answer


async def test_an_answer_to_a_commit_that_is_lost_leaves_nothing_held_and_counts_once(desks: list[SharedDesk]) -> None:
    desk = desks[0]
    await desk.meter.put(Budget("money", limit=1_000))
    settled = await desk.reserve(100)

    async def cut(query: str, doing: Coroutine[Any, Any, Any]) -> None:
        """Hang up as soon as a commit was done, or before it."""
        desk.backend._connection = cast(Connection, Cutting(await desk.backend._connected(), query))
        with pytest.raises(Refusal, match="it hung up"):
            await doing

    await cut("COMMIT", desk.reserve(100))
    await cut("BEGIN", desk.reserve(100))
    await cut("COMMIT", settled.settle(row(settled, 70)))
    async with asyncio.timeout(20):
        while desk.meter._live or await desk.held("money"):  # noqa: ASYNC110 - tried again by the clock
            await asyncio.sleep(0.02)
    assert await desk.used("money") == 70
    assert await desk.rows() == [("answered", 70)]
    assert await desk.rows("SELECT * FROM reservations") == []


async def test_a_row_that_no_column_takes_harms_no_other(desks: list[SharedDesk]) -> None:
    good, bad = await desks[0].reserve(100), await desks[0].reserve(100)
    fine = good.settle(row(good, 70))
    wrong = bad.settle(row(bad, 1 << 70))
    results = await asyncio.gather(fine, wrong, return_exceptions=True)
    assert isinstance(results[1], Refusal)
    assert await desks[0].rows() == [("answered", 70)]


async def test_a_router_that_ends_counts_what_it_could_not_settle_as_lost(address: Address) -> None:
    async with shared_desk(address) as first:
        await first.meter.put(Budget("money", limit=1_000))
        await first.reserve(100)
    async with shared_desk(address) as second:
        assert await second.rows() == [("lost", 100)]
        assert (await second.used("money"), await second.held("money")) == (100, 0)
        assert await second.rows("SELECT count(*) FROM routers") == [(1,)]


async def test_the_time_is_the_databases_whatever_hosts_say(address: Address) -> None:
    clock = SharedClock()
    async with shared_desk(address) as desk:
        desk.backend._clock = clock
        await desk.meter.put(Budget("daily", limit=100, period=DAILY))
        await desk.reserve(60)
        (found,) = await desk.rows(
            "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD'), \"window\" FROM budget_uses"
        )
        assert found[0] == found[1]
        ((said,),) = await desk.rows(f"SELECT {NOW}")
        assert abs(clock.now() - int(str(said))) < 60_000_000
