"""Budgets as people and scripts meet them: over gRPC, the client, the command line, and at the door."""

import asyncio
import csv
import io
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from router.budgets.period import window
from router.store.ledger import Filter
from signet.client import AsyncSignet
from signet.kit import dial
from signet.kit.errors import InvalidArgument, NotFound, PermissionDenied, from_rpc
from signet.v1 import budgets_pb2 as pb
from signet.v1.budgets_pb2_grpc import BudgetServiceStub
from tests.fakes.provider import FakeProvider, Fault, Reply
from tests.unit.router.rig import OPERATOR, VIEWER, Rig, add, bearer, code, events, rig

PRICES: dict[str, Any] = {"input_price_microusd_per_million": 1_000_000, "output_price_microusd_per_million": 2_000_000}
COST = 11 + 2 * 4  # of the fake's "a b"


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as served:
        yield served


@pytest.fixture
async def running(tmp_path: Path, fake: FakeProvider) -> AsyncIterator[Rig]:
    async with rig(tmp_path / "home") as started:
        await add(started, fake, **PRICES)
        yield started


@pytest.fixture
async def signet(running: Rig) -> AsyncIterator[AsyncSignet]:
    async with AsyncSignet(data=str(running.home.root), token=OPERATOR, patience_seconds=5) as client:
        yield client


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


async def call(running: Rig, *args: str) -> Done:
    """Run a command beside the router."""
    environment = {**os.environ, "SIGNET_DATA": str(running.home.root), "SIGNET_TOKEN": OPERATOR, "NO_COLOR": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "signet.cli", *args, stdout=PIPE, stderr=PIPE, env=environment
    )
    out, err = await process.communicate()
    return Done(process.returncode or 0, out.decode(), err.decode())


async def test_two_hundred_calls_at_once_do_not_overspend(
    running: Rig, fake: FakeProvider, signet: AsyncSignet
) -> None:
    """Real calls over the door, each of which may cost far more than it does in the end."""
    limit = 5_001
    await signet.budgets.put("tight", limit)
    answers = await asyncio.gather(*(running.chat(max_tokens=100) for _ in range(200)))
    passed = [answer for answer in answers if answer.status_code == 200]
    assert {code(answer) for answer in answers if answer.status_code != 200} == {(402, "budget_exhausted")}
    found = await signet.budgets.get("tight")
    total = await running.app.ledger.total(Filter())
    assert total.cost_microusd == found.used
    assert total.calls == len(passed) > 1
    assert found.used <= limit
    assert found.reserved == 0
    assert len(fake.asked) == len(passed)


async def test_a_request_without_a_limit_gets_one_where_a_budget_needs_it_and_only_there(
    running: Rig, fake: FakeProvider, signet: AsyncSignet
) -> None:
    await running.chat()
    await signet.budgets.put("soft", 1, soft=True)
    await running.chat()
    await signet.budgets.put("money", 1_000_000)
    await running.chat()
    await running.chat(max_tokens=7)
    await running.chat(max_tokens=-1)
    assert [asked.body.get("max_tokens") for asked in fake.asked] == [None, None, 4096, 7, 4096]


async def test_a_price_that_nobody_knows_is_refused(running: Rig, fake: FakeProvider, signet: AsyncSignet) -> None:
    await add(running, fake, "unpriced")
    await signet.budgets.put("money", 1_000_000)
    assert code(await running.chat(model="unpriced/fake-small")) == (402, "price_unknown")
    await signet.budgets.put("money", 1_000_000, unknown_price="allow")
    assert (await running.chat(model="unpriced/fake-small")).status_code == 200


async def test_a_provider_that_says_no_usage_is_charged_an_estimate_within_the_limit(
    running: Rig, fake: FakeProvider, signet: AsyncSignet
) -> None:
    await signet.budgets.put("money", 1_000_000)
    fake.queue(Reply("a b c d", usage="missing"), Reply("a b c d", usage="missing", fault=Fault.RESET))
    await running.chat(max_tokens=1)
    await running.chat(max_tokens=1, stream=True)
    rows = [row async for row in signet.usage.calls()]
    assert [row.outcome for row in rows] == ["broken", "answered"]
    assert all(row.usage.estimated and row.usage.output_tokens <= 1 for row in rows)
    assert (await signet.budgets.get("money")).used == sum(row.usage.cost_microusd for row in rows)


async def test_a_provider_that_refuses_or_is_not_there_costs_nothing(
    running: Rig, fake: FakeProvider, signet: AsyncSignet
) -> None:
    await signet.budgets.put("money", 1_000_000)
    fake.queue(Reply(status=429))
    assert (await running.chat()).status_code == 429
    await add(running, FakeProvider(port=1), "gone", **PRICES)
    assert (await running.chat(model="gone/x")).status_code == 503
    rows = [row async for row in signet.usage.calls()]
    assert [(row.outcome, row.usage.cost_microusd) for row in rows] == [("refused", 0)]
    found = await signet.budgets.get("money")
    assert (found.used, found.reserved) == (0, 0)


async def test_a_cut_ends_a_stream_with_why_and_the_provider_is_hung_up_on(
    running: Rig, fake: FakeProvider, signet: AsyncSignet
) -> None:
    fake.queue(Reply(fault=Fault.ENDLESS, delay_seconds=0.01))
    got = bytearray()
    body = {"model": "fake/fake-small", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    async with running.door.stream("POST", "/v1/chat/completions", json=body, headers=bearer(OPERATOR)) as answer:
        pieces = answer.aiter_bytes()
        got += await anext(pieces)
        frozen = await signet.budgets.freeze("the key leaked", cut=True)
        async for piece in pieces:
            got += piece
    assert events(got.decode())[-1]["error"]["code"] == "spending_frozen"
    await fake.hung_up()
    assert frozen.caller == "tokens/t1"
    refused = await running.chat()
    assert code(refused) == (402, "spending_frozen")
    assert "the key leaked" in refused.json()["error"]["message"]
    rows = [row async for row in signet.usage.calls()]
    assert [row.outcome for row in rows] == ["left"]
    assert not (await signet.budgets.unfreeze()).frozen
    assert (await running.chat()).status_code == 200


async def test_a_row_says_who_what_where_and_how_long(running: Rig, fake: FakeProvider, signet: AsyncSignet) -> None:
    fake.queue(Reply("a b"))
    await running.chat(token=running.run_token("fake/fake-small", run="r7"))
    await running.chat()
    rows = [row async for row in signet.usage.calls(page_size=1)]
    assert [row.caller for row in rows] == ["tokens/t1", "runs/r7"]
    row = rows[1]
    assert (row.run, row.agent, row.session) == ("runs/r7", "agents/a1", "sessions/s1")
    assert (row.model, row.provider, row.upstream_model) == ("models/fake/fake-small", "providers/fake", "fake-small")
    assert (row.price_source, row.usage.cost_microusd, row.outcome, row.attempts) == ("user", COST, "answered", 1)
    assert 0 < row.first_byte_micros <= row.duration_micros
    assert row.queue_micros >= 0
    assert [found.caller async for found in signet.usage.calls(run="runs/r7")] == ["runs/r7"]
    sums = {found.key: found.usage.calls async for found in signet.usage.list(by="caller")}
    assert sums == {"tokens/t1": 1, "runs/r7": 1}


async def test_budgets_are_kept_shown_and_forgotten(running: Rig, signet: AsyncSignet) -> None:
    for name in ("b", "a", "c"):
        await signet.budgets.put(name, 5, measure="requests", period="day", subject="agents/-", warn_at=3)
    page = await signet.budgets.list(page_size=2).page()
    assert [found.name for found in page.budgets] == ["budgets/a", "budgets/b"]
    assert [found.name async for found in signet.budgets.list(page_size=2)] == ["budgets/a", "budgets/b", "budgets/c"]
    found = await signet.budgets.get("a")
    assert (found.limit, found.warn_at, found.subject) == (5, 3, "agents/-")
    assert found.reset_time.ToJsonString().endswith("T00:00:00Z")
    await signet.budgets.delete("a")
    with pytest.raises(NotFound, match="Did you mean"):
        await signet.budgets.get("bb")
    assert window("DAY", running.app.meter.now)


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"name": "budgets/X"}, "budget.name"),
        ({"name": "agents/x"}, "budget.name"),
        ({"subject": "workers/x"}, "budget.subject"),
        ({"subject": "agents/"}, "budget.subject"),
        ({"subject": "providers/-"}, "budget.subject"),
        ({"limit": -1}, "budget.limit"),
        ({"warn_at": 1 << 62}, "budget.warn_at"),
        ({"measure": 9}, "budget.measure"),
        ({"period": 9}, "budget.period"),
    ],
)
async def test_a_bad_budget_is_refused_with_what_is_wrong(running: Rig, fields: dict[str, Any], bad: str) -> None:
    stub = BudgetServiceStub(running.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PutBudget(pb.PutBudgetRequest(budget=pb.Budget(**{"name": "budgets/x", **fields})))
    error = from_rpc(caught.value)
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [bad]


async def test_viewers_see_budgets_and_change_none(running: Rig) -> None:
    async with dial.channel(running.home.target("router.sock"), VIEWER) as channel:
        stub = BudgetServiceStub(channel)
        await stub.ListBudgets(pb.ListBudgetsRequest())
        await stub.GetFreeze(pb.GetFreezeRequest())
        for refused in (
            stub.PutBudget(pb.PutBudgetRequest()),
            stub.DeleteBudget(pb.DeleteBudgetRequest()),
            stub.SetFreeze(pb.SetFreezeRequest(frozen=True)),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await refused
            assert isinstance(from_rpc(caught.value), PermissionDenied)


async def test_the_command_line_sets_shows_and_stops(running: Rig, fake: FakeProvider) -> None:
    fake.queue(Reply("a b"))
    await running.chat()
    done = await call(running, "budget", "set", "daily", "--cost", "1.50", "--period", "day", "--warn-at", "$1")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "budgets/daily: $0.000019 of $1.50 used\n"
    listed = json.loads((await call(running, "budget", "list", "-o", "json")).stdout)
    assert [(found["limit"], found["warn_at"], found["used"]) for found in listed] == [(1_500_000, 1_000_000, COST)]
    shown = await call(running, "budget", "show", "daily")
    assert "begins anew" in shown.stdout
    assert "$1.50, hard" in shown.stdout
    stopped = await call(running, "budget", "freeze", "--reason", "leak")
    assert "by tokens/t1: leak" in stopped.stdout
    assert "all spending is stopped" in (await call(running, "budget", "list")).stderr
    assert code(await running.chat()) == (402, "spending_frozen")
    assert (await call(running, "budget", "unfreeze")).stdout == "spending goes on\n"
    assert (await call(running, "budget", "delete", "daily", "--yes")).returncode == 0
    assert "no budget" in (await call(running, "budget", "list")).stdout


@pytest.mark.parametrize(
    "args",
    [("set", "x"), ("set", "x", "--cost", "1", "--tokens", "2"), ("set", "x", "--cost", "-1"),
     ("set", "x", "--cost", "lots"), ("set", "x", "--tokens", "-1")],
)  # fmt: skip
async def test_a_limit_that_is_none_is_a_mistake_of_usage(running: Rig, args: tuple[str, ...]) -> None:
    assert (await call(running, "budget", *args)).returncode == 2


async def test_usage_is_shown_by_caller_and_by_call_and_as_csv(running: Rig, fake: FakeProvider) -> None:
    await add(running, fake, "unpriced")
    fake.queue(Reply("a b"), Reply("a b"))
    await running.chat(token=running.run_token("fake/fake-small"))
    await running.chat(model="unpriced/fake-small")
    assert "tokens/t1" in (await call(running, "usage", "--by", "caller")).stdout
    assert "answered" in (await call(running, "usage", "--calls")).stdout
    table = list(csv.DictReader(io.StringIO((await call(running, "usage", "--calls", "-o", "csv")).stdout)))
    assert [(row["caller"], row["cost_microusd"], row["price_source"]) for row in table] == [
        ("tokens/t1", "", ""),
        ("runs/r1", str(COST), "user"),
    ]
    sums = list(csv.DictReader(io.StringIO((await call(running, "usage", "--by", "caller", "-o", "csv")).stdout)))
    assert {row["key"]: row["cost_microusd"] for row in sums} == {"runs/r1": str(COST), "tokens/t1": ""}
    assert len(json.loads((await call(running, "usage", "--calls", "--json")).stdout)) == 2


async def test_what_was_written_into_a_cache_is_shown(running: Rig, fake: FakeProvider) -> None:
    said = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}
    details = {"cached_tokens": 2, "cache_write_tokens": 5}
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}]}
    fake.queue(Reply(raw=json.dumps({**answer, "usage": {**said, "prompt_tokens_details": details}})))
    answered = await running.chat()
    assert json.loads(answered.headers["x-signet-usage"])["cache_write_tokens"] == 5
    (shown,) = json.loads((await call(running, "usage", "--calls", "-o", "json")).stdout)
    assert (int(shown["usage"]["cached_tokens"]), int(shown["usage"]["cache_write_tokens"])) == (2, 5)
    (summed,) = json.loads((await call(running, "usage", "-o", "json")).stdout)
    assert int(summed["usage"]["cache_write_tokens"]) == 5
