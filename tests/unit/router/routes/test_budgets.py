"""Every attempt is reserved before it is sent, two of a hedge as well; a budget of one provider leads to another."""

from collections.abc import Awaitable, Callable
from typing import Any

from signet.v1 import budgets_pb2 as pb
from signet.v1.budgets_pb2_grpc import BudgetServiceStub
from tests.fakes.provider import FakeProvider, Fault, Reply
from tests.unit.router.rig import add, code
from tests.unit.router.routes.bench import Bench, refusing, rows, target, text, until

Open = Callable[..., Awaitable[Bench]]


async def limit(bench: Bench, name: str, subject: str, amount: int, measure: pb.BudgetMeasure) -> None:
    """Set a budget."""
    budget = pb.Budget(name=f"budgets/{name}", subject=subject, limit=amount, measure=measure)
    await BudgetServiceStub(bench.running.channel).PutBudget(pb.PutBudgetRequest(budget=budget))


async def test_a_provider_whose_budget_is_used_up_is_passed_over(opened: Open) -> None:
    bench = await opened(2)
    await bench.put()
    await limit(bench, "of-a", "providers/a", 1, pb.BUDGET_MEASURE_REQUESTS)
    assert text(await bench.ask()) == "I am a"
    assert text(await bench.ask()) == "I am b"
    await limit(bench, "all", "", 2, pb.BUDGET_MEASURE_REQUESTS)
    assert code(await bench.ask()) == (429, "rate_limit_exceeded")
    assert bench.asked() == [1, 1]


async def test_a_hedge_is_not_sent_where_no_budget_is_left_for_it(opened: Open) -> None:
    bench = await opened(2)
    await bench.put(hedge_millis=30)
    await limit(bench, "all", "", 1, pb.BUDGET_MEASURE_REQUESTS)
    bench.fakes[0].answer = lambda _: Reply("late", delay_seconds=0.3)
    answer = await bench.ask(stream=True)
    assert "[DONE]" in answer.text
    assert bench.asked() == [1, 0]


async def test_the_one_that_is_overtaken_is_charged_what_it_read(opened: Open) -> None:
    bench = await opened(1)
    fields: Any = {f"{way}_price_microusd_per_million": 1_000_000 for way in ("input", "output")}
    async with FakeProvider() as silent:
        await add(bench.running, silent, "silent", **fields)
        await bench.put("fast", target("silent"), target("a"), hedge_millis=30)
        silent.queue(Reply(fault=Fault.STALL_AT_ONCE))
        assert text(await bench.ask(token=bench.running.run_token("fast", run="r1"))) == "I am a"
        await until(lambda: not bench.active())
        left, answered = await rows(bench, "runs/r1")
        assert (left.provider, left.outcome, answered.outcome) == ("providers/silent", "left", "answered")
        assert left.usage.cost_microusd == left.usage.input_tokens > 0


async def test_one_that_was_to_try_and_found_no_budget_lets_the_next_one_try(opened: Open) -> None:
    bench = await opened(1)
    await bench.put()
    bench.fakes[0].queue(*(refusing(500) for _ in range(5)))
    for _ in range(5):
        await bench.ask()
    lane = bench.running.app.fleet.lineup("fast").stops[0].lane
    assert lane is not None
    lane.circuit._until = 0.0  # its time is over
    await limit(bench, "all", "", 1, pb.BUDGET_MEASURE_REQUESTS)
    assert code(await bench.ask()) == (429, "budget_exhausted")
    await limit(bench, "all", "", 100, pb.BUDGET_MEASURE_REQUESTS)
    assert text(await bench.ask()) == "I am a"
