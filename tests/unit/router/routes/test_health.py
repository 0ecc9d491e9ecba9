"""What providers find out about themselves counts for choosing; what one call met counts for circuits alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from router.model import Health, State
from router.routes.lane import Noticed
from tests.fakes.provider import FakeProvider, Fault, Reply
from tests.unit.router.rig import add, code
from tests.unit.router.routes.bench import Bench, error, refusing, target, text, until

Open = Callable[..., Awaitable[Bench]]


@pytest.mark.parametrize("state", [State.UNAVAILABLE, State.STARTING])
async def test_a_provider_that_says_that_it_is_not_there_is_asked_last(opened: Open, state: State) -> None:
    bench = await opened(2)
    await bench.put()
    provider = bench.running.app.fleet.provider("a")
    provider.observe(Health(state, "it does not answer"))
    assert [(each.target.provider, each.place) for each in await bench.explain()] == [
        ("providers/b", 1), ("providers/a", 2),
    ]  # fmt: skip
    assert text(await bench.ask()) == "I am b"
    if state is State.UNAVAILABLE:
        bench.fakes[1].queue(refusing(500))
        assert text(await bench.ask()) == "I am a"  # for there is nobody else
        assert text(await bench.ask()) == "I am a"  # which shows that it is there


async def test_one_call_that_failed_does_not_put_its_target_last(opened: Open) -> None:
    bench = await opened(2)
    await bench.put()
    bench.fakes[0].queue(refusing(500))
    assert text(await bench.ask()) == "I am b"
    assert isinstance(bench.running.app.fleet.provider("a").health, Noticed)
    assert text(await bench.ask()) == "I am a"


async def test_a_key_that_is_replaced_closes_the_circuit(opened: Open) -> None:
    bench = await opened(1)
    bench.fakes[0].queue(*(refusing(401) for _ in range(5)))
    for _ in range(5):
        await bench.ask("a/fake-small")
    answer = await bench.ask("a/fake-small")
    assert code(answer) == (502, "provider_error")
    assert "refused the key" in error(answer)
    assert "not asked again" in error(answer)
    await bench.running.app.fleet.rekey("a", "")
    await bench.running.app.fleet.provider("a").check()
    assert text(await bench.ask("a/fake-small")) == "I am a"


async def test_what_callers_themselves_get_wrong_opens_nothing(opened: Open) -> None:
    bench = await opened(1)
    for status in (400, 403, 413, 422):
        bench.fakes[0].queue(*(refusing(status) for _ in range(6)))
        for _ in range(6):
            await bench.ask("a/fake-small")
    assert [state.circuit for state in await bench.explain("a/fake-small")] == ["closed"]
    assert text(await bench.ask("a/fake-small")) == "I am a"


async def test_a_caller_that_leaves_while_it_is_the_one_that_tries_lets_the_next_one_try(opened: Open) -> None:
    bench = await opened(1)
    await bench.put()
    bench.fakes[0].queue(*(refusing(500) for _ in range(5)), Reply(fault=Fault.STALL_AT_ONCE))
    for _ in range(5):
        await bench.ask()
    lane = bench.running.app.fleet.lineup("fast").stops[0].lane
    assert lane is not None
    lane.circuit._until = 0.0  # its time is over
    call = asyncio.create_task(bench.ask())
    await bench.fakes[0].was_asked(6)
    assert "one call is trying" in (await bench.explain())[0].reason
    call.cancel()
    await until(lambda: not bench.active())
    assert text(await bench.ask()) == "I am a"


async def test_a_limit_falls_where_a_target_pushes_back_and_the_queue_takes_the_rest(opened: Open) -> None:
    bench = await opened(1, concurrency=2)
    await bench.put("fast", target("a"))
    bench.fakes[0].queue(refusing(429))
    assert code(await bench.ask()) == (429, "rate_limit_exceeded")
    assert [(state.active, state.allowed) for state in await bench.explain()] == [(0, 1)]
    bench.fakes[0].answer = lambda _: Reply("slowly", delay_seconds=0.02)
    answers = await asyncio.gather(*(bench.ask(stream=True) for _ in range(4)))
    assert all("[DONE]" in answer.text for answer in answers)


class Raw:
    """A provider that answers everything with one stream."""

    key = ""

    def __init__(self, events: bytes) -> None:
        self._events = events
        self.base_url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + self._events)
        writer.close()


async def test_a_stream_that_is_nothing_but_an_error_goes_elsewhere(opened: Open) -> None:
    bench = await opened(1)
    raw = Raw(b'data: {"error":{"message":"overloaded"}}\n\n')
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    async with server:
        raw.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        await add(bench.running, cast(FakeProvider, raw), "raw")
        await bench.put("fast", target("raw"), target("a"))
        answer = await bench.ask(stream=True)
        assert "[DONE]" in answer.text
        assert bench.asked() == [1]
        alone = await bench.ask("raw/fake-small", stream=True)
        assert code(alone) == (502, "provider_error")
        assert "overloaded" in error(alone)
