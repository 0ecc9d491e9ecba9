"""Routers on one database see who is there, who is silent for too long, and what others changed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from router.address import Address
from router.budgets.budget import Budget
from router.refusal import Refusal
from router.replicas.presence import Presence, Silences
from router.store.postgres import CHANGED, Connection, connect, hang_up
from signet.kit.errors import Unavailable
from tests.harness.postgres import ask
from tests.unit.router.budgets.desk import row
from tests.unit.router.replicas.desk import SharedDesk, shared_desk

ALICE, BOB = ("a", 1), ("b", 1)


@pytest.mark.parametrize(
    ("looks", "dead"),
    [
        ([(0, [ALICE]), (14, [ALICE])], []),
        ([(0, [ALICE]), (15, [ALICE])], [ALICE]),
        ([(0, [ALICE]), (9, []), (15, [ALICE])], []),  # it gave a sign meanwhile
        ([(0, [ALICE]), (15, [("a", 2)])], []),  # as here
        ([(0, [ALICE]), (None, []), (15, [ALICE])], []),  # we could not look
        ([(0, [ALICE]), (5, [ALICE, BOB]), (16, [ALICE, BOB])], [ALICE]),
        ([(0, [ALICE]), (5, [ALICE, BOB]), (20, [ALICE, BOB])], [ALICE, BOB]),
    ],
)
def test_a_router_is_dead_that_gives_no_sign_while_we_look(
    looks: list[tuple[float | None, list[tuple[str, int]]]], dead: list[tuple[str, int]]
) -> None:
    silences = Silences(15)
    found: list[tuple[str, int]] = []
    for now, silent in looks:
        if now is None:
            silences.forget()
        else:
            found = silences.dead(silent, now)
    assert found == dead


@asynccontextmanager
async def present(desk: SharedDesk, seconds: float = 1.0) -> AsyncIterator[Presence]:
    """Give a desk's signs of life and look at the others for as long as the context lasts."""
    presence = Presence(desk.address, desk.router, seconds, desk.log)
    tasks = [asyncio.create_task(presence.run(desk.news)), asyncio.create_task(desk.news.run())]
    try:
        yield presence
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_a_silent_router_is_buried_by_the_others_and_finds_that_out(address: Address) -> None:
    async with shared_desk(address) as silent, shared_desk(address) as first, shared_desk(address) as second:
        await silent.reserve(100)
        async with present(first), present(second), asyncio.timeout(30):
            while await first.rows("SELECT * FROM reservations"):  # noqa: ASYNC110 - they find out by looking
                await asyncio.sleep(0.05)
        assert await first.rows() == [("lost", 100)]
        async with present(silent) as presence, asyncio.timeout(10):
            await presence.fenced.wait()
        await first.reserve(1)  # who gave signs is there


@pytest.mark.parametrize("notified", [True, False])
async def test_a_change_is_taken_up_by_who_asked_for_it_told_or_not(address: Address, *, notified: bool) -> None:
    if not notified:
        quiet = f"CREATE OR REPLACE FUNCTION {CHANGED}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        quiet += "INSERT INTO changes VALUES (TG_TABLE_NAME, 1) ON CONFLICT (topic) DO UPDATE "
        await ask(address.url, quiet + "SET revision = changes.revision + 1; RETURN NULL; END $$")
    taken: list[str] = []
    came = asyncio.Event()

    async def reload() -> None:
        taken.append("providers")
        came.set()
        if len(taken) == 2:
            raise Unavailable("STORE_UNAVAILABLE", "not now")

    async with shared_desk(address) as desk, present(desk):
        desk.news.follow(reload, "providers", "routes")
        async with asyncio.timeout(10):
            await came.wait()  # once at the beginning
            came.clear()
            await ask(address.url, "INSERT INTO providers VALUES ('p', 'OPENAI', 'u', '[]', NULL, NULL, NULL, 1)")
            await came.wait()
            came.clear()
            await came.wait()  # again, for it failed
    assert taken == ["providers"] * 3


async def test_budgets_are_shown_by_every_router_soon_and_forgotten(address: Address) -> None:
    async with shared_desk(address) as first, shared_desk(address) as second, present(second):
        await first.meter.put(Budget("money", limit=5))
        async with asyncio.timeout(10):
            while [budget.id for budget in second.meter.budgets()] != ["money"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            await first.meter.delete("money")
            while second.meter.budgets():  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_a_full_disk_and_a_locked_table_let_no_call_out_and_are_got_over(address: Address) -> None:
    async with shared_desk(address) as desk:
        await desk.meter.put(Budget("money", limit=1_000))
        running = await desk.reserve(100)
        full = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        await ask(address.url, full + "RAISE 'No space left on device' USING ERRCODE = 'disk_full'; END $$")
        await ask(address.url, "CREATE TRIGGER t BEFORE INSERT ON reservations EXECUTE FUNCTION full_disk()")
        await ask(address.url, "CREATE TRIGGER t BEFORE INSERT ON calls EXECUTE FUNCTION full_disk()")
        for doing in (desk.reserve(100), running.settle(row(running, 70))):
            with pytest.raises(Refusal, match="No space left") as caught:
                await doing
            assert (caught.value.status, caught.value.code) == (503, "ledger_unavailable")
        await ask(address.url, "DROP FUNCTION full_disk CASCADE")
        other = await desk.reserve(100)
        async with asyncio.timeout(20):
            while await desk.used("money") != 70:  # noqa: ASYNC110 - it is tried again by the clock
                await asyncio.sleep(0.05)
        async with locked(address, "budget_uses"):
            with pytest.raises(Refusal, match="lock timeout") as caught:
                await desk.reserve(100)
            assert (caught.value.status, caught.value.code) == (503, "ledger_unavailable")
        await other.settle(row(other, 30))
        assert (await desk.used("money"), await desk.held("money")) == (100, 0)


@asynccontextmanager
async def locked(address: Address, table: str) -> AsyncIterator[Connection]:
    """Have a table to oneself."""
    connection = await connect(address, "test")
    try:
        await connection.execute("SET idle_in_transaction_session_timeout = 0")
        await connection.execute(f"BEGIN; LOCK TABLE {table}")
        yield connection
    finally:
        await hang_up(connection)


async def test_a_router_that_stops_in_a_transaction_holds_the_others_up_for_a_moment_alone(address: Address) -> None:
    async with shared_desk(address) as desk:
        await desk.meter.put(Budget("money", limit=1_000))
        await (await desk.reserve(1)).release()
        stopped = await connect(address, "a router that stops")
        await stopped.execute("BEGIN; SELECT * FROM budget_uses FOR UPDATE")
        async with asyncio.timeout(20):
            while await refused(desk) == 503:
                pass
        stopped.terminate()


async def refused(desk: SharedDesk) -> int:
    """Reserve a call; gives the status of the refusal, 0 where it is admitted."""
    try:
        await desk.reserve(1)
    except Refusal as refusal:
        return refusal.status
    return 0
