"""A second target is asked where the first has not begun to answer; one of them answers, and both are accounted for."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from router.routes import hedge
from router.routes.lineup import Stop
from router.routes.miss import Miss
from router.routes.route import Target
from tests.fakes.provider import Fault, Reply
from tests.unit.router.rig import code, said_usage
from tests.unit.router.routes.bench import Bench, refusing, rows, text, until

Open = Callable[..., Awaitable[Bench]]
LONG = "one two three four five six seven eight"


@pytest.mark.parametrize("stream", [False, True])
async def test_the_second_answers_where_the_first_is_silent_which_is_hung_up_on(opened: Open, *, stream: bool) -> None:
    bench = await opened(3)
    await bench.put(hedge_millis=50)
    bench.fakes[0].queue(Reply(fault=Fault.STALL_AT_ONCE))
    answer = await bench.ask(stream=stream, token=bench.running.run_token("fast", run="r1"))
    assert answer.status_code == 200
    assert stream or text(answer) == "I am b"
    assert not stream or said_usage(answer.text)["provider"] == "b"
    await bench.fakes[0].hung_up()
    assert bench.asked() == [1, 1, 0]
    found = await rows(bench, "runs/r1")
    assert [(row.provider, row.outcome) for row in found] == [("providers/a", "left"), ("providers/b", "answered")]
    assert found[0].usage.estimated
    assert found[0].usage.input_tokens > 0


async def test_a_first_that_begins_in_time_is_alone(opened: Open) -> None:
    bench = await opened(2)
    await bench.put(hedge_millis=5000)
    assert text(await bench.ask()) == "I am a"
    assert bench.asked() == [1, 0]


async def test_a_first_that_began_keeps_the_call_however_slow_it_is(opened: Open) -> None:
    bench = await opened(2)
    await bench.put(hedge_millis=2000)
    bench.fakes[0].queue(Reply(LONG, delay_seconds=0.3))
    answer = await bench.ask(stream=True)
    assert said_usage(answer.text)["provider"] == "a"
    assert "[DONE]" in answer.text
    assert bench.asked() == [1, 0]


async def test_where_both_fail_the_third_is_asked(opened: Open) -> None:
    bench = await opened(3)
    await bench.put(hedge_millis=5000)
    bench.fakes[0].queue(refusing(500))
    bench.fakes[1].queue(refusing(500))
    assert text(await bench.ask()) == "I am c"
    assert bench.asked() == [1, 1, 1]


async def test_a_request_that_is_wrong_ends_both(opened: Open) -> None:
    bench = await opened(2)
    await bench.put(hedge_millis=50)
    bench.fakes[0].queue(Reply(fault=Fault.STALL_AT_ONCE))
    bench.fakes[1].queue(refusing(400))
    assert code(await bench.ask()) == (400, "invalid_request")
    await bench.fakes[0].hung_up()


async def test_a_caller_that_leaves_ends_both(opened: Open) -> None:
    bench = await opened(2)
    await bench.put(hedge_millis=50)
    for fake in bench.fakes:
        fake.queue(Reply(fault=Fault.STALL_AT_ONCE))
    call = asyncio.create_task(bench.ask())
    await bench.fakes[1].was_asked()
    call.cancel()
    for fake in bench.fakes:
        await fake.hung_up()
    await until(lambda: not bench.active())


class Sent:
    """Where an answer goes."""

    started = False


def stops(count: int) -> list[Stop]:
    """Give targets without lanes: the race does not look into them."""
    return [Stop(Target("p", str(number)), None) for number in range(count)]


async def test_a_first_that_begins_after_the_second_was_asked_cancels_that() -> None:
    asked = asyncio.Event()
    overtaken = asyncio.Event()

    async def put(stop: Stop, begins: Callable[[], None]) -> Miss | None:
        if stop.target.upstream == "0":
            await asked.wait()
            begins()
            await overtaken.wait()
            return None
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            overtaken.set()
        return None

    answered, _ = await hedge.run(stops(3), put, Sent(), 0.0)
    assert answered is not None
    assert answered.target.upstream == "0"


async def test_of_two_that_begin_in_one_moment_one_is_cancelled() -> None:
    both = asyncio.Event()
    begun: list[str] = []
    ended: list[str] = []

    async def put(stop: Stop, begins: Callable[[], None]) -> Miss | None:
        begun.append(stop.target.upstream)
        try:
            await both.wait()
            begins()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            ended.append(f"{stop.target.upstream} cancelled")
            raise
        ended.append(f"{stop.target.upstream} answered")
        return None

    race = asyncio.create_task(hedge.run(stops(2), put, Sent(), 0.0))
    await until(lambda: len(begun) == 2)
    both.set()
    answered, misses = await race
    assert answered is not None
    assert misses == []
    assert sorted(each.partition(" ")[2] for each in ended) == ["answered", "cancelled"]
