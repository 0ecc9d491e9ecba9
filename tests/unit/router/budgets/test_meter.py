"""A call reserves its worst case and settles at what it used, and no limit is passed by one micro-dollar."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from router.budgets.budget import ALLOW, REQUESTS, SECONDS, TOKENS, Budget
from router.budgets.freeze import Freeze
from router.budgets.period import DAY as DAILY
from router.budgets.period import MONTH
from router.refusal import Refusal
from tests.unit.router.budgets.desk import DAY, Desk, desk, row, who


@pytest.fixture
async def open_desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as opened:
        yield opened


def code(caught: pytest.ExceptionInfo[Refusal]) -> tuple[int, str]:
    return caught.value.status, caught.value.code


async def many(open_desk: Desk) -> None:
    """Reserve more calls than a full disk has room for."""
    for _ in range(500):
        await open_desk.reserve()


async def idle(open_desk: Desk) -> None:
    """Wait until no call holds anything."""
    async with asyncio.timeout(20):
        while open_desk.meter._live:  # noqa: ASYNC110 - what could not be written is tried again by the clock
            await asyncio.sleep(0.02)


async def test_two_hundred_calls_at_once_do_not_overspend_by_one_micro_dollar(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("tight", limit=1_049))

    codes: set[str] = set()

    async def call() -> int:
        try:
            reservation = await open_desk.reserve(100)
        except Refusal as refusal:
            codes.add(refusal.code)
            return 0
        async with reservation:
            await asyncio.sleep(0)
            await reservation.settle(row(reservation, 100))
        return 100

    spent = sum(await asyncio.gather(*(call() for _ in range(200))))
    assert spent == 1_000
    assert codes == {"budget_exhausted"}
    assert open_desk.used("tight") == 1_000
    assert open_desk.rows("SELECT sum(cost_microusd), count(*) FROM calls") == [(1_000, 10)]
    assert open_desk.rows("SELECT * FROM reservations") == []


async def test_what_was_not_used_can_be_used_by_the_next_call(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("tight", limit=100))
    for _ in range(2):
        reservation = await open_desk.reserve(60)
        with pytest.raises(Refusal, match="held by calls that run") as caught:
            await open_desk.reserve(60)
        assert caught.value.retry_after_seconds == 1
        await reservation.settle(row(reservation, 20))
    assert open_desk.used("tight") == 40
    reservation = await open_desk.reserve(60)
    await reservation.release()
    assert open_desk.used("tight") == 40
    await open_desk.reserve(60)


async def test_a_reservation_is_on_disk_before_it_is_given(open_desk: Desk) -> None:
    reservation = await open_desk.reserve(60)
    assert open_desk.rows("SELECT id, cost_microusd, provider, agent FROM reservations") == [
        (reservation.call, 60, "providers/acme", "agents/a1")
    ]
    await reservation.settle(row(reservation))
    assert open_desk.rows("SELECT * FROM reservations") == []
    assert open_desk.rows("SELECT id, upstream_model, price_source, outcome FROM calls") == [
        (reservation.call, "large", "user", "answered")
    ]


async def test_a_refusal_names_the_budget_its_limit_its_use_and_when_it_begins_anew(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("each", "agents/-", limit=1_500_000, period=DAILY))
    reservation = await open_desk.reserve(1_000_000)
    await reservation.settle(row(reservation, 1_000_000))
    with pytest.raises(Refusal) as caught:
        await open_desk.reserve(600_000)
    assert code(caught) == (402, "budget_exhausted")
    assert caught.value.message == (
        "budgets/each of agents/a1 is used up: $1.00 of $1.50 are used, and this call may take $0.60; it begins anew "
        "at 2026-11-22T00:00:00Z"
    )
    assert caught.value.retry_after_seconds == 43_200
    await open_desk.reserve(600_000, who("a2"))  # another agent has its own


async def test_every_measure_is_counted_and_requests_are_a_rate(open_desk: Desk) -> None:
    for budget in (
        Budget("tokens", "providers/acme", TOKENS, limit=25),
        Budget("seconds", "sessions/s1", SECONDS, limit=9),
        Budget("requests", "runs/-", REQUESTS, limit=2),
    ):
        await open_desk.meter.put(budget)
    first = await open_desk.reserve(tokens=20)
    await first.settle(row(first, tokens=7))
    assert [open_desk.used(name) for name in ("tokens", "seconds", "requests")] == [7, 2, 1]
    with pytest.raises(Refusal, match="7 tokens of 25 tokens"):
        await open_desk.reserve(tokens=20)
    with pytest.raises(Refusal, match="2 s of 9 s"):
        await open_desk.reserve(seconds=8)
    second = await open_desk.reserve()
    await second.settle(row(second))
    with pytest.raises(Refusal) as caught:
        await open_desk.reserve()
    assert code(caught) == (429, "budget_exhausted")


async def test_an_unknown_price_is_refused_unless_the_budget_allows_it(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("money", limit=1_000))
    with pytest.raises(Refusal, match="nobody knows what models/acme/large costs") as caught:
        await open_desk.reserve(None)
    assert code(caught) == (402, "price_unknown")
    await open_desk.meter.put(Budget("money", limit=1_000, unknown_price=ALLOW))
    reservation = await open_desk.reserve(None)
    await reservation.settle(row(reservation, None))
    assert open_desk.rows() == [("answered", None)]
    assert open_desk.used("money") == 0


async def test_a_soft_budget_warns_once_and_refuses_nothing(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("soft", limit=100, warn_at=60, soft=True))
    for _ in range(4):
        reservation = await open_desk.reserve(1_000)
        await reservation.settle(row(reservation, 40))
    assert open_desk.used("soft") == 160
    assert open_desk.log.events == ["budget_warned", "budget_exceeded"]
    assert (await open_desk.meter.state(open_desk.meter.budget("soft")))[2]
    await (await open_desk.reserve(None)).release()  # of unknown price, too


async def test_a_call_counts_to_the_day_in_which_it_was_reserved(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("daily", limit=100, period=DAILY))
    await open_desk.meter.put(Budget("monthly", limit=1_000, period=MONTH))
    reservation = await open_desk.reserve(100)
    open_desk.now += DAY
    await (await open_desk.reserve(100)).release()  # the next day has its own
    await reservation.settle(row(reservation, 70))
    assert open_desk.used("daily") == 0
    assert open_desk.used("monthly") == 70
    open_desk.now -= DAY
    assert open_desk.used("daily") == 70


async def test_a_clock_that_jumps_over_a_border_and_back_begins_no_count_anew(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("daily", limit=100, period=DAILY))
    for days, spent in ((0, 90), (400, 50), (-20_000, 0), (-30_000, 0)):
        open_desk.now += days * DAY
        reservation = await open_desk.reserve(90)
        await reservation.settle(row(reservation, spent))
        open_desk.now -= days * DAY
        assert open_desk.used("daily") == 90
        with pytest.raises(Refusal):
            await open_desk.reserve(90)


async def test_the_first_settlement_stands(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("money", limit=1_000))
    reservation = await open_desk.reserve(100)
    settled = await asyncio.gather(*(reservation.settle(row(reservation, cost)) for cost in (70, 80, 90)))
    assert [each.cost_microusd for each in settled] == [70, 70, 70]
    await reservation.release()
    assert open_desk.used("money") == 70
    assert open_desk.rows() == [("answered", 70)]


async def test_a_commit_that_happened_but_looked_failed_is_not_counted_twice(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("money", limit=1_000))
    reservation = await open_desk.reserve(100)
    other = await open_desk.reserve(100)
    real = open_desk.writer.transact

    def lies(work: object) -> None:
        open_desk.writer.transact = real  # type: ignore[method-assign] # the fault is planted where it happens
        real(work)  # type: ignore[arg-type] # as it came
        raise sqlite3.OperationalError("disk I/O error")

    open_desk.writer.transact = lies  # type: ignore[method-assign, assignment] # as above
    with pytest.raises(Refusal):
        await reservation.settle(row(reservation, 70))
    await other.settle(row(other, 30))
    await idle(open_desk)
    assert open_desk.used("money") == 100
    await (await open_desk.reserve(900)).release()
    with pytest.raises(Refusal):
        await open_desk.reserve(901)


async def test_a_usage_beyond_what_was_reserved_is_believed_and_told(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("money", limit=1_000))
    reservation = await open_desk.reserve(100)
    await reservation.settle(row(reservation, 1 << 60))
    assert open_desk.used("money") == 1 << 60
    assert "budget_exceeded" in open_desk.log.events
    with pytest.raises(Refusal):
        await open_desk.reserve(0)


async def test_a_negative_use_gives_nothing_back(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("money", limit=100))
    reservation = await open_desk.reserve(100)
    await reservation.settle(row(reservation, -1_000))
    assert open_desk.used("money") == 0
    with pytest.raises(Refusal):
        await open_desk.reserve(101)


async def test_a_call_that_ends_without_a_word_counts_as_its_worst_case(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("money", limit=1_000))
    with pytest.raises(ZeroDivisionError):
        async with await open_desk.reserve(100):
            raise ZeroDivisionError
    assert open_desk.rows() == [("lost", 100)]
    assert open_desk.used("money") == 100


async def test_a_caller_who_leaves_while_it_is_reserved_holds_nothing(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("money", limit=100))
    task = asyncio.create_task(open_desk.reserve(100))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    await idle(open_desk)
    await open_desk.reserve(100)


async def test_a_router_that_died_settles_its_calls_at_their_worst(tmp_path: Path) -> None:
    async with desk(tmp_path) as first:
        await first.meter.put(Budget("daily", limit=1_000, period=DAILY))
        await first.meter.put(Budget("each", "agents/-", TOKENS, limit=1_000))
        done = await first.reserve(100)
        await done.settle(row(done, 60))
        await first.reserve(300)
        await first.reserve(200, who("a2"))
        await first.crash()
        second = Desk(first.path, first.now + DAY)  # it comes back the next day
        assert second.lost == 2
        assert second.log.events == ["calls_lost"]
        assert second.rows("SELECT outcome, cost_microusd, estimated FROM calls ORDER BY cost_microusd") == [
            ("answered", 60, 0),
            ("lost", 200, 1),
            ("lost", 300, 1),
        ]
        assert second.used("daily") == 0
        second.now -= DAY
        assert second.used("daily") == 560
        assert second.used("each") == 15
        with pytest.raises(Refusal):
            await second.reserve(441)
        assert second.rows("SELECT * FROM reservations") == []
        await second.crash()
        third = Desk(first.path)
        assert third.lost == 0
        await third.crash()
        first.writing = asyncio.create_task(asyncio.sleep(0))


async def test_a_new_budget_counts_what_the_ledger_has_and_what_runs(open_desk: Desk) -> None:
    old = await open_desk.reserve(100)
    await old.settle(row(old, 70))
    other = await open_desk.reserve(100, who("a2"))
    await other.settle(row(other, 20))
    running = await open_desk.reserve(100)
    for budget in (Budget("all", limit=200), Budget("each", "agents/-", limit=200), Budget("a2", "agents/a2", limit=9)):
        await open_desk.meter.put(budget)
    assert [open_desk.used(name) for name in ("all", "each", "a2")] == [90, 70, 20]
    assert [(await open_desk.meter.state(open_desk.meter.budget(name)))[1] for name in ("all", "each", "a2")] == [
        100,
        100,
        0,
    ]
    with pytest.raises(Refusal):
        await open_desk.reserve(11)
    await running.settle(row(running, 30))
    assert [open_desk.used(name) for name in ("all", "each", "a2")] == [120, 100, 20]


async def test_a_changed_limit_keeps_the_count_and_another_measure_counts_anew(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("money", limit=100))
    reservation = await open_desk.reserve(100)
    await reservation.settle(row(reservation, 80, tokens=7))
    await open_desk.meter.put(Budget("money", limit=500))
    assert open_desk.used("money") == 80
    await open_desk.meter.put(Budget("money", measure=TOKENS, limit=500))
    assert open_desk.used("money") == 7
    await open_desk.meter.delete("money")
    assert open_desk.rows("SELECT * FROM budget_uses") == []


async def test_a_freeze_stops_all_and_stays_over_a_restart(tmp_path: Path) -> None:
    async with desk(tmp_path) as first:
        running = await first.reserve()
        await first.meter.set_freeze(Freeze(frozen=True, reason="leak", caller="tokens/me"), cut=False)
        with pytest.raises(Refusal, match="stopped by tokens/me: leak") as caught:
            await first.reserve()
        assert code(caught) == (402, "spending_frozen")
        await running.settle(row(running))  # without a cut it may end
    async with desk(tmp_path) as second:
        with pytest.raises(Refusal):
            await second.reserve()
        await second.meter.set_freeze(Freeze(caller="tokens/me"), cut=False)
        await second.reserve()


async def test_a_cut_ends_calls_that_run_and_they_say_why(open_desk: Desk) -> None:
    began = asyncio.Event()

    async def call() -> None:
        async with await open_desk.reserve(100) as reservation:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                await reservation.settle(row(reservation, 10, outcome="left"))

    task = asyncio.create_task(call())
    await began.wait()
    await open_desk.meter.set_freeze(Freeze(frozen=True, caller="tokens/me"), cut=True)
    with pytest.raises(Refusal) as caught:
        await task
    assert code(caught) == (402, "spending_frozen")
    assert open_desk.rows() == [("left", 10)]


async def test_a_full_disk_lets_no_call_through_and_is_told(open_desk: Desk) -> None:
    await open_desk.meter.put(Budget("money", limit=1 << 40))
    running = await open_desk.reserve()
    connection = open_desk.writer._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Refusal, match="full") as caught:
        await many(open_desk)
    assert code(caught) == (503, "ledger_unavailable")
    held = (await open_desk.meter.state(open_desk.meter.budget("money")))[1]
    assert held == 100 * open_desk.rows("SELECT count(*) FROM reservations")[0][0]
    connection.execute("PRAGMA max_page_count = 1000000")
    await running.settle(row(running))
    await open_desk.reserve()


async def test_at_most_a_thousand_waiting_settlements_are_kept(open_desk: Desk) -> None:
    open_desk.journal._unwritten.extend([None] * 1_000)  # type: ignore[list-item] # the fault is planted
    with pytest.raises(Refusal, match="behind"):
        await open_desk.reserve()
    open_desk.journal._unwritten.clear()


async def test_counts_that_are_dropped_from_memory_are_read_again(
    open_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.budgets.counter._KEPT", 4)
    for name, subject in (("each", "agents/-"), ("run", "runs/-"), ("all", "")):
        await open_desk.meter.put(Budget(name, subject, limit=100_000))
    held = [await open_desk.reserve(10, who(f"a{number}", f"r{number}")) for number in range(9)]
    assert open_desk.counts._counters._count > 9  # what is held stays
    for reservation in held:
        await reservation.settle(row(reservation, 7))
    for number in range(9):
        again = await open_desk.reserve(10, who(f"a{number}", f"r{number}"))
        assert {counter.budget.id: counter.used for counter, _ in again.holds} == {
            "all": 63 + 5 * number,
            "each": 7,
            "run": 7,
        }
        await again.settle(row(again, 5))
    assert open_desk.counts._counters._count < 9
    assert [open_desk.used(name) for name in ("all", "each", "run")] == [108, 12, 12]


async def test_a_call_that_is_being_reserved_when_spending_is_stopped_is_not_sent(open_desk: Desk) -> None:
    calls = [asyncio.create_task(open_desk.reserve()) for _ in range(3)]
    await asyncio.sleep(0)
    await open_desk.meter.set_freeze(Freeze(frozen=True, caller="tokens/me"), cut=False)
    for call in calls:
        with pytest.raises(Refusal, match="was stopped"):
            await call
    assert open_desk.rows("SELECT * FROM reservations") == []


async def test_what_is_written_outlives_a_loss_of_power(open_desk: Desk) -> None:
    connection = open_desk.writer._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
