"""A target that does not answer is made up for by the next one, as long as nothing of an answer was sent on."""

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from time import time
from typing import Any

import pytest

from router.store.ledger import Filter
from signet.v1 import providers_pb2, routes_pb2
from signet.v1.providers_pb2_grpc import ProviderServiceStub
from tests.fakes.provider import FakeProvider, Fault, Reply
from tests.unit.router.rig import add, code, events, free_port, said_usage
from tests.unit.router.routes.bench import MODEL, Bench, error, refusing, rows, target, text

Open = Callable[..., Awaitable[Bench]]
ELSEWHERE = (401, 402, 403, 404, 408, 409, 429, 500, 502, 503, 504, 529)
LONG = "one two three four five six seven eight"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", ELSEWHERE)
async def test_what_another_target_may_not_refuse_goes_there(opened: Open, status: int, *, stream: bool) -> None:
    bench = await opened(3)
    await bench.put()
    bench.fakes[0].queue(refusing(status))
    bench.fakes[1].queue(refusing(status))
    answer = await bench.ask(stream=stream)
    assert bench.asked() == [1, 1, 1]
    if stream:
        words = [event["choices"][0]["delta"].get("content", "") for event in events(answer.text)[:-2]]
        assert "".join(words) == "I am c"
    else:
        assert text(answer) == "I am c"


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("place", [0, 1])
async def test_a_request_that_is_wrong_itself_goes_nowhere_else(opened: Open, status: int, place: int) -> None:
    bench = await opened(3)
    await bench.put()
    if place:
        bench.fakes[0].queue(refusing(500))
    bench.fakes[place].queue(refusing(status))
    answer = await bench.ask()
    assert code(answer) == (400, "invalid_request")
    assert bench.asked() == [1, place, 0]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, (502, "provider_error")),
        (402, (502, "provider_error")),
        (404, (404, "model_not_found")),
        (408, (504, "provider_timeout")),
        (409, (502, "provider_error")),
        (429, (429, "rate_limit_exceeded")),
        (500, (502, "provider_error")),
        (503, (503, "provider_unavailable")),
    ],
)
async def test_where_all_refuse_alike_the_caller_is_told_that_and_by_whom(
    opened: Open, status: int, expected: tuple[int, str]
) -> None:
    bench = await opened(2)
    await bench.put()
    for fake in bench.fakes:
        fake.queue(refusing(status))
    answer = await bench.ask()
    assert code(answer) == expected
    assert f"because of {status}" in error(answer)
    assert "1. a/fake-small" in error(answer)
    assert "2. b/fake-small" in error(answer)


async def test_where_they_refuse_differently_it_is_for_now(opened: Open) -> None:
    bench = await opened(2)
    await bench.put()
    bench.fakes[0].queue(refusing(401))
    bench.fakes[1].queue(refusing(503, retry_after="9"))
    answer = await bench.ask()
    assert code(answer) == (503, "provider_unavailable")
    assert answer.headers["retry-after"] == "9"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", [Fault.RESET_AT_ONCE, Fault.GARBAGE])
async def test_what_breaks_before_its_first_byte_goes_elsewhere(opened: Open, fault: Fault, *, stream: bool) -> None:
    bench = await opened(2)
    await bench.put()
    bench.fakes[0].queue(Reply(fault=fault))
    answer = await bench.ask(stream=stream)
    assert answer.status_code == 200
    assert bench.asked() == [1, 1]


async def test_half_an_answer_that_is_no_stream_goes_elsewhere_whole(opened: Open) -> None:
    bench = await opened(2)
    await bench.put()
    bench.fakes[0].queue(Reply(LONG, fault=Fault.RESET))
    assert text(await bench.ask()) == "I am b"


async def test_after_the_first_byte_a_reset_is_told_and_goes_nowhere(opened: Open) -> None:
    bench = await opened(2)
    await bench.put()
    bench.fakes[0].queue(Reply(LONG, fault=Fault.RESET))
    answer = await bench.ask(stream=True)
    *_, told, _ = events(answer.text)
    assert told["error"]["code"] == "provider_error"
    assert "[DONE]" not in answer.text
    assert bench.asked() == [1, 0]
    assert said_usage(answer.text)["provider"] == "a"


async def test_nobody_listening_goes_elsewhere_and_costs_nothing(opened: Open) -> None:
    bench = await opened(1)
    await add(bench.running, FakeProvider(port=free_port()), "gone")
    await bench.put("fast", target("gone"), target("a"))
    answer = await bench.ask(token=bench.running.run_token("fast", run="r9"))
    assert text(answer) == "I am a"
    [row] = await bench.running.app.ledger.totals("RUN", Filter(run="runs/r9"), offset=0, limit=2)
    assert row.calls == 1


@pytest.mark.parametrize("repeats", [False, True])
async def test_silence_that_may_be_charged_goes_elsewhere_only_where_the_route_says_so(
    opened: Open, *, repeats: bool
) -> None:
    bench = await opened(2, first_byte_seconds=0.3)
    await bench.put(repeat_timeouts=repeats)
    bench.fakes[0].queue(Reply(fault=Fault.STALL_AT_ONCE))
    answer = await bench.ask()
    assert bench.asked() == [1, int(repeats)]
    assert (text(answer) == "I am b") if repeats else code(answer) == (504, "provider_timeout")
    await bench.fakes[0].hung_up()


async def test_silence_that_costs_nothing_goes_elsewhere(opened: Open) -> None:
    bench = await opened(1, first_byte_seconds=0.3)
    free: Any = {"input_price_microusd_per_million": 0, "output_price_microusd_per_million": 0}
    async with FakeProvider() as silent:
        await add(bench.running, silent, "silent", **free)
        await bench.put("fast", target("silent"), target("a"))
        silent.queue(Reply(fault=Fault.STALL_AT_ONCE))
        assert text(await bench.ask()) == "I am a"


async def test_every_attempt_has_its_row_and_number(opened: Open) -> None:
    bench = await opened(3)
    await bench.put()
    bench.fakes[0].queue(refusing(500))
    bench.fakes[1].queue(Reply(fault=Fault.RESET_AT_ONCE))
    await bench.ask(token=bench.running.run_token("fast", run="r7"))
    found = await rows(bench, "runs/r7")
    assert [(row.attempts, row.provider, row.outcome) for row in found] == [
        (1, "providers/a", "refused"),
        (2, "providers/b", "broken"),
        (3, "providers/c", "answered"),
    ]
    assert {row.model for row in found} == {"models/fast"}


@pytest.mark.parametrize("said", ["7", "date", "ms"])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_target_is_left_alone_for_as_long_as_it_asks(opened: Open, said: str, status: int) -> None:
    bench = await opened(2)
    await bench.put()
    headers = {"7": {"retry_after": "7"}, "date": {"retry_after": formatdate(time() + 8, usegmt=True)}}.get(
        said, {"retry_after_ms": "7000"}
    )
    bench.fakes[0].queue(refusing(status, **headers))
    assert text(await bench.ask()) == "I am b"
    assert text(await bench.ask()) == "I am b"
    assert bench.asked() == [1, 2]
    first, second = await bench.explain()
    assert (first.target.provider, first.place) == ("providers/b", 1)
    assert (second.target.provider, second.place) == ("providers/a", 0)
    assert "asked to be left alone" in second.reason


async def test_where_all_are_left_alone_the_caller_is_told_the_smallest_wait(opened: Open) -> None:
    bench = await opened(2)
    await bench.put()
    bench.fakes[0].queue(refusing(429, retry_after="40"))
    bench.fakes[1].queue(refusing(429, retry_after="20"))
    assert (await bench.ask()).headers["retry-after"] == "20"
    answer = await bench.ask()
    assert code(answer) == (429, "rate_limit_exceeded")
    assert answer.headers["retry-after"] in ("19", "20")
    assert bench.asked() == [1, 1]


async def test_five_failures_open_a_circuit_and_all_open_are_for_now(opened: Open) -> None:
    bench = await opened(2)
    await bench.put()
    for fake in bench.fakes:
        fake.queue(*(refusing(500) for _ in range(5)))
    for _ in range(5):
        assert code(await bench.ask()) == (502, "provider_error")
    answer = await bench.ask()
    assert code(answer) == (502, "provider_error")
    assert int(answer.headers["retry-after"]) <= 5
    assert "not asked again" in error(answer)
    assert bench.asked() == [5, 5]
    assert {(state.circuit, state.place, state.failures_per_mille) for state in await bench.explain()} == {
        ("open", 0, 1000)
    }


async def test_a_probe_that_fails_opens_the_circuit_for_longer_and_one_that_does_not_closes_it(opened: Open) -> None:
    bench = await opened(1)
    await add(bench.running, bench.fakes[0], "z")
    await bench.put("fast", target("a"), target("z"))
    bench.fakes[0].queue(*(reply for _ in range(5) for reply in (refusing(500), Reply("I am z"))))
    for _ in range(5):
        assert text(await bench.ask()) == "I am z"
    lane = bench.running.app.fleet.lineup("fast").stops[0].lane
    assert lane is not None
    assert 4 < lane.circuit.wait(asyncio.get_running_loop().time()) <= 5
    lane.circuit._until = 0.0  # its time is over
    bench.fakes[0].queue(refusing(500), Reply("I am z"))
    assert text(await bench.ask()) == "I am z"
    assert 9 < lane.circuit.wait(asyncio.get_running_loop().time()) <= 10
    lane.circuit._until = 0.0
    bench.fakes[0].queue(Reply("back"))
    assert text(await bench.ask()) == "back"
    assert {state.circuit for state in await bench.explain()} == {"closed"}


async def test_two_targets_of_one_provider_are_two(opened: Open) -> None:
    bench = await opened(1)
    await bench.put("fast", target("a", "fake-small"), target("a", "fake-large"))
    bench.fakes[0].queue(refusing(429, retry_after="9"))
    assert text(await bench.ask()) == "I am a"
    assert [asked.body["model"] for asked in bench.fakes[0].asked] == ["fake-small", "fake-large"]
    assert text(await bench.ask("a/fake-large")) == "I am a"
    assert code(await bench.ask("a/fake-small")) == (429, "rate_limit_exceeded")


async def test_a_queue_that_is_full_goes_elsewhere(opened: Open) -> None:
    bench = await opened(2, concurrency=1, queue=0)
    await bench.put("fast", target("a"), target("b"))
    bench.fakes[0].queue(Reply(fault=Fault.STALL_AT_ONCE))
    first = asyncio.create_task(bench.ask())
    await bench.fakes[0].was_asked()
    assert text(await bench.ask()) == "I am b"
    bench.fakes[1].queue(Reply(fault=Fault.STALL_AT_ONCE))
    second = asyncio.create_task(bench.ask())
    await bench.fakes[1].was_asked(2)
    answer = await bench.ask()
    assert code(answer) == (429, "rate_limit_exceeded")
    for call, fake in zip((first, second), bench.fakes, strict=True):
        call.cancel()
        await fake.hung_up()


async def test_a_target_has_no_more_calls_at_once_than_its_route_says(opened: Open) -> None:
    bench = await opened(2)
    await bench.put("fast", target("a", concurrency=1), target("b"))
    bench.fakes[0].queue(Reply(fault=Fault.STALL_AT_ONCE))
    first = asyncio.create_task(bench.ask())
    await bench.fakes[0].was_asked()
    assert text(await bench.ask()) == "I am b"
    assert [(state.active, state.allowed) for state in await bench.explain()] == [(0, 64), (1, 1)]
    first.cancel()
    await bench.fakes[0].hung_up()


async def test_a_route_that_is_deleted_ends_no_call_that_runs(opened: Open) -> None:
    bench = await opened(1)
    await bench.put()
    bench.fakes[0].queue(Reply(LONG, delay_seconds=0.05))
    call = asyncio.create_task(bench.ask(stream=True))
    await bench.fakes[0].was_asked()
    await bench.stub.DeleteRoute(routes_pb2.DeleteRouteRequest(name="routes/fast"))
    assert code(await bench.ask()) == (404, "model_not_found")
    assert "[DONE]" in (await call).text


async def test_a_provider_that_is_removed_is_passed_over_and_said_so(opened: Open) -> None:
    bench = await opened(2)
    await bench.put()
    bench.fakes[0].queue(Reply(LONG, delay_seconds=0.05))
    call = asyncio.create_task(bench.ask(stream=True))
    await bench.fakes[0].was_asked()
    stub = ProviderServiceStub(bench.running.channel)
    await stub.DeleteProvider(providers_pb2.DeleteProviderRequest(name="providers/a"))
    assert text(await bench.ask()) == "I am b"
    assert "there is no provider a" in [state.reason for state in await bench.explain()]
    assert "[DONE]" in (await call).text
    await stub.DeleteProvider(providers_pb2.DeleteProviderRequest(name="providers/b"))
    assert code(await bench.ask()) == (503, "provider_unavailable")
    await add(bench.running, bench.fakes[1], "b")
    assert text(await bench.ask()) == "I am b"


async def test_a_target_that_its_provider_does_not_offer_is_passed_over(opened: Open) -> None:
    bench = await opened(2)
    await bench.put("fast", target("a", "fake-none"), target("b", MODEL))
    assert text(await bench.ask()) == "I am b"
    assert "does not offer" in (await bench.explain())[1].reason
