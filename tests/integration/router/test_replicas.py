"""Several real routers share one PostgreSQL: budgets hold across them, and any of them, or it, may die."""

import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.provider import FakeProvider, Reply
from tests.fakes.provider.server import converse
from tests.harness.postgres import Postgres, ask, postgres
from tests.integration.router.houses import Street, street
from tests.unit.router.rig import code

COST = 11 + 2 * 4
"""Of the fake's answer to `hi`, which says that it read 11 tokens, and made 4."""


def slowly(request: Mapping[str, Any]) -> Reply:
    """Take long where it is asked to, so that calls run while something happens."""
    slow = "SLOW" in str(request["messages"][-1]["content"])
    return Reply("a b", delay_seconds=30 if slow else 0.01)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with FakeProvider(answer=slowly) as served:
        yield served


@pytest.fixture
async def routers(server: Postgres, fake: FakeProvider) -> AsyncIterator[Street]:
    """Start three, of which the first is given the fake as a provider."""
    with tempfile.TemporaryDirectory(prefix="sg-") as folder:
        async with street(Path(folder), await server.database(), database_dead_seconds="2") as made:
            for name in "abc":
                await made.open(name)
            await made.houses[0].provide(fake)
            for house in made.houses:
                await house.until_served()
            yield made


async def test_two_hundred_calls_at_three_routers_do_not_overspend_by_one_micro_dollar(routers: Street) -> None:
    a, b, c = routers.houses
    before = sum(cost for _, cost in await b.calls())
    await a.budget("tight", limit=before + 1_500)
    answers = await asyncio.gather(*(routers.houses[number % 3].chat() for number in range(200)))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 402}
    assert {code(answer) for answer in answers if answer.status_code != 200} == {(402, "budget_exhausted")}
    spent = sum(cost for _, cost in await c.calls())
    assert await b.standing("tight") == (spent, 0)
    assert spent <= before + 1_500
    assert spent - before == sum(int(answer.status_code == 200) for answer in answers) * COST
    last = [(await house.chat()).status_code for house in routers.houses for _ in range(100)]
    assert 402 in last
    used, held = await a.standing("tight")
    assert (before + 1_500 - used < 1_000, held) == (True, 0)


async def test_what_a_killed_router_held_is_lost_once_and_the_others_go_on(routers: Street) -> None:
    a, b, c = routers.houses
    await a.budget("money", limit=1_000_000)
    before, _ = await a.standing("money")
    slow = [asyncio.create_task(b.chat("SLOW")) for _ in range(5)]
    async with asyncio.timeout(20):
        while len(await reserved(routers)) < 5:  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.02)
    _, held = await a.standing("money")
    b.process.send(signal.SIGKILL)
    await asyncio.gather(*slow, return_exceptions=True)
    others = await asyncio.gather(*(house.chat() for house in (a, c) for _ in range(20)))
    assert {answer.status_code for answer in others} == {200}
    async with asyncio.timeout(30):
        while (await a.standing("money"))[1]:  # noqa: ASYNC110 - the others find out by looking
            await asyncio.sleep(0.05)
    lost = [cost for outcome, cost in await c.calls() if outcome == "lost"]
    assert (len(lost), sum(lost)) == (5, held)
    assert await c.standing("money") == (before + held + 40 * COST, 0)
    assert await reserved(routers) == []


async def test_a_router_that_was_paused_too_long_ends_and_counts_nothing_twice(routers: Street) -> None:
    a, b, c = routers.houses
    await a.budget("money", limit=1_000_000)
    slow = [asyncio.create_task(b.chat("SLOW")) for _ in range(3)]
    async with asyncio.timeout(20):
        while len(await reserved(routers)) < 3:  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.02)
    b.process.send(signal.SIGSTOP)
    async with asyncio.timeout(30):
        while await reserved(routers):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    standing = await a.standing("money")
    b.process.send(signal.SIGCONT)
    assert await b.process.wait() == 7
    assert '"event": "fenced"' in b.process.said
    await asyncio.gather(*slow, return_exceptions=True)
    assert [outcome for outcome, _ in await c.calls()].count("lost") == 3
    assert await c.standing("money") == standing
    again = await routers.open("e")
    assert (await again.chat()).status_code == 200


async def test_no_call_goes_out_while_the_database_is_gone_and_all_do_when_it_is_back(
    routers: Street, fake: FakeProvider, server: Postgres
) -> None:
    a, b, _ = routers.houses
    await a.budget("money", limit=1_000_000)
    running = asyncio.create_task(a.chat("SLOW", stream=True))
    async with asyncio.timeout(20):
        while not await reserved(routers):  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.02)
    server.stop()
    try:
        asked = len(fake.asked)
        refused = await asyncio.gather(*(house.chat() for house in routers.houses for _ in range(5)))
        assert {code(answer) for answer in refused} == {(503, "ledger_unavailable")}
        assert len(fake.asked) == asked
        running.cancel()  # its settlement cannot be written yet
        await asyncio.wait([running])
    finally:
        server.start()
    for house in routers.houses:
        await house.until_served()
    async with asyncio.timeout(30):
        while await reserved(routers):  # noqa: ASYNC110 - what could not be written is tried again by the clock
            await asyncio.sleep(0.05)
    outcomes = [outcome for outcome, _ in await b.calls()]
    assert (outcomes.count("left"), outcomes.count("lost")) == (1, 0)
    assert [house.process.code for house in routers.houses] == [None] * 3


async def test_a_database_that_does_not_answer_lets_no_call_out(
    routers: Street, fake: FakeProvider, server: Postgres
) -> None:
    server.freeze(still=True)
    try:
        asked = len(fake.asked)
        refused = await asyncio.gather(*(house.chat() for house in routers.houses))
        assert {code(answer) for answer in refused} == {(503, "ledger_unavailable")}
        assert len(fake.asked) == asked
    finally:
        server.freeze(still=False)
    for house in routers.houses:
        await house.until_served()


async def test_two_routers_can_begin_at_once_on_an_empty_database(server: Postgres) -> None:
    url = await server.database()
    with tempfile.TemporaryDirectory(prefix="sg-") as folder:
        async with street(Path(folder), url) as made:
            first = made.home("a")
            for key in ("vault.key", "run.key"):
                first.key(key)
            second = made.home("b")
            for key in ("vault.key", "run.key"):
                (second.keys / key).write_bytes((first.keys / key).read_bytes())
                (second.keys / key).chmod(0o600)
            processes = [made.process(home) for home in (first, second)]
            await asyncio.gather(*(process.start() for process in processes))
            try:
                await asyncio.gather(*(process.ready() for process in processes))
                assert await ask(url, "SELECT count(*) FROM routers") == [(2,)]
            finally:
                await asyncio.gather(*(process.stop() for process in processes))
            assert await ask(url, "SELECT count(*) FROM routers") == [(0,)]


async def test_what_cannot_be_is_refused_at_the_start_and_no_password_is_said(server: Postgres) -> None:
    url = await server.database()
    with tempfile.TemporaryDirectory(prefix="sg-") as folder:
        async with street(Path(folder), url) as made:
            await made.open("a")
            stranger = made.home("b")
            (stranger.keys / "vault.key").unlink()
            (stranger.keys / "vault.key").write_bytes(b"k" * 32)
            (stranger.keys / "vault.key").chmod(0o600)
            missing = made.home("c")
            (missing.keys / "vault.key").unlink()
            fine = made.home("d")
            unknown = {"database": f"postgresql://signet@/{'no' * 5}?host={server.folder}"}
            gone = {
                "database": "postgresql://signet@/x?host=/nowhere",
                "database_password_file": str(made.folder / "pw"),
            }
            (made.folder / "pw").write_text("planted-password\n")
            for home, options, said in (
                (stranger, {}, "copy keys/vault.key"),
                (missing, {}, "copy keys/vault.key"),
                (fine, {"database": "mysql://x/y"}, "must be postgresql://"),
                (fine, {"database": "postgresql://u:planted-password@h/x"}, "must not be part of a command"),
                (fine, unknown, "cannot be reached"),
                (fine, gone, "cannot be reached"),
                (fine, {**gone, "database_password_file": "/nowhere"}, "database_password_file /nowhere"),
            ):
                process = made.process(home, **options)
                await process.start()
                assert await process.wait() == 1
                assert said in process.said
                assert "planted-password" not in process.said
                assert "Traceback" not in process.said
                await process.stop()
                process.log.unlink()
            assert not (missing.keys / "vault.key").exists()


async def test_an_answered_call_is_in_the_ledger_whatever_is_killed(fake: FakeProvider) -> None:
    fake.answer = converse
    with postgres(durable=True) as durable, tempfile.TemporaryDirectory(prefix="sg-") as folder:
        async with street(Path(folder), await durable.database()) as made:
            house = await made.open("a")
            await house.provide(fake)
            await house.until_served()
            answered_once = asyncio.Event()
            asking = [asyncio.create_task(_often(house.chat, answered_once)) for _ in range(8)]
            async with asyncio.timeout(30):
                await answered_once.wait()
            await asyncio.sleep(0.3)  # while calls are in every part of their way
            durable.kill()
            answered = sum(await asyncio.gather(*asking))
            house.process.send(signal.SIGKILL)
            durable.start()
            ((kept,),) = await ask(made.url, "SELECT count(*) FROM calls WHERE outcome = 'answered'")
            assert int(str(kept)) >= answered + 1 > 1


async def _often(chat: Any, once: asyncio.Event) -> int:
    """Ask until that fails; gives how often it did not. The first time it did not is told."""
    count = 0
    while (await chat()).status_code == 200:
        count += 1
        once.set()
    return count


async def reserved(routers: Street) -> list[tuple[object, ...]]:
    return await ask(routers.url, "SELECT id FROM reservations")
