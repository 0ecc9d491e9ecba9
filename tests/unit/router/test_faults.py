"""A provider that misbehaves costs its caller one clear error, and nobody else anything."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from router.store.ledger import Filter
from tests.fakes.provider import FakeProvider, Fault, Reply
from tests.unit.router.rig import OPERATOR, Rig, add, bearer, code, events, free_port, rig, said_usage

HASTY: dict[str, Any] = {"first_byte_seconds": 0.5, "idle_seconds": 0.5}
LONG = "one two three four five six seven eight"


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as served:
        yield served


@pytest.fixture
async def running(tmp_path: Path, fake: FakeProvider) -> AsyncIterator[Rig]:
    """Give a router whose own deadlines are minutes away."""
    async with rig(tmp_path / "home", fake) as started:
        yield started


@pytest.fixture
async def hasty(tmp_path: Path, fake: FakeProvider) -> AsyncIterator[Rig]:
    """Give a router that waits for nobody long."""
    async with rig(tmp_path / "home", fake, **HASTY) as started:
        yield started


async def works(running: Rig, fake: FakeProvider) -> None:
    """See that the next call is served as if nothing had been."""
    fake.queue(Reply("fine again"))
    answer = await running.chat()
    assert answer.json()["choices"][0]["message"]["content"] == "fine again"


async def test_nobody_listens(running: Rig, fake: FakeProvider) -> None:
    gone = FakeProvider(port=free_port())
    await add(running, gone, "gone")
    answer = await running.chat(model="gone/any")
    assert code(answer) == (503, "provider_unavailable")
    assert "cannot be reached" in answer.json()["error"]["message"]
    await works(running, fake)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.RESET_AT_ONCE, (502, "provider_error")),
        (Fault.GARBAGE, (502, "provider_error")),
    ],
)
async def test_no_answer_is_a_clear_error(
    running: Rig, fake: FakeProvider, fault: Fault, expected: tuple[int, str], *, stream: bool
) -> None:
    fake.queue(Reply(fault=fault))
    answer = await running.chat(stream=stream)
    assert code(answer) == expected
    assert "provider" in answer.json()["error"]["message"]
    await works(running, fake)


@pytest.mark.parametrize("stream", [False, True])
async def test_silence_ends_at_the_deadline(hasty: Rig, fake: FakeProvider, *, stream: bool) -> None:
    fake.queue(Reply(fault=Fault.STALL_AT_ONCE))
    assert code(await hasty.chat(stream=stream)) == (504, "provider_timeout")
    await fake.hung_up()


async def test_silence_after_half_an_answer_ends_at_the_deadline(hasty: Rig, fake: FakeProvider) -> None:
    fake.queue(Reply(LONG, fault=Fault.STALL), Reply(LONG, fault=Fault.STALL))
    assert code(await hasty.chat()) == (504, "provider_timeout")
    streamed = await hasty.chat(stream=True)
    assert events(streamed.text)[-2]["error"]["code"] == "provider_timeout"
    assert said_usage(streamed.text)["estimated"]
    await fake.hung_up(2)


async def test_half_an_answer_is_no_answer(running: Rig, fake: FakeProvider) -> None:
    fake.queue(Reply(LONG, fault=Fault.RESET))
    answer = await running.chat()
    assert code(answer) == (502, "provider_error")
    usage = json.loads(answer.headers["x-signet-usage"])
    assert usage["estimated"]
    assert usage["input_tokens"] > 0
    await works(running, fake)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.RESET, "provider_error"),
        (Fault.HALF_EVENT, "provider_error"),
        (Fault.NO_DONE, "provider_error"),
        (Fault.GARBAGE_EVENT, "provider_error"),
    ],
)
async def test_a_broken_stream_keeps_whole_events_and_ends_with_an_error(
    running: Rig, fake: FakeProvider, fault: Fault, expected: str
) -> None:
    fake.queue(Reply(LONG, fault=fault))
    answer = await running.chat(stream=True)
    assert answer.status_code == 200
    *before, error, _ = events(answer.text)
    assert before
    assert all("choices" in event for event in before)
    assert error["error"]["code"] == expected
    assert "[DONE]" not in answer.text
    assert said_usage(answer.text)["estimated"]
    await works(running, fake)


async def test_an_error_event_of_the_provider_is_passed_on(running: Rig, fake: FakeProvider) -> None:
    fake.queue(Reply(LONG, fault=Fault.ERROR_EVENT))
    answer = await running.chat(stream=True)
    *_, error, _ = events(answer.text)
    assert error["error"]["message"] == "the model fell over"
    assert "[DONE]" not in answer.text
    await works(running, fake)


async def test_an_endless_stream_ends_at_the_bound(tmp_path: Path, fake: FakeProvider) -> None:
    async with rig(tmp_path / "home", fake, total_seconds=0.5) as running:
        fake.queue(Reply(fault=Fault.ENDLESS, delay_seconds=0.01))
        answer = await running.chat(stream=True)
        assert events(answer.text)[-2]["error"]["code"] == "provider_timeout"
        await fake.hung_up()


async def test_an_answer_beyond_the_size_ends_at_the_bound(tmp_path: Path, fake: FakeProvider) -> None:
    async with rig(tmp_path / "home", fake, answer_bytes=20_000) as running:
        fake.queue(Reply(fault=Fault.ENDLESS), Reply("x" * 30_000))
        streamed = await running.chat(stream=True)
        assert "larger than 20000 bytes" in events(streamed.text)[-2]["error"]["message"]
        assert len(streamed.content) < 30_000
        assert code(await running.chat()) == (502, "provider_error")
        await works(running, fake)


async def test_a_stream_that_said_done_is_over_even_if_the_connection_is_not(running: Rig, fake: FakeProvider) -> None:
    fake.queue(Reply(LONG, fault=Fault.OPEN_END))
    answer = await running.chat(stream=True)
    assert events(answer.text)[-2] == "[DONE]"
    assert not said_usage(answer.text)["estimated"]
    await fake.hung_up()
    await works(running, fake)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, (400, "invalid_request")),
        (401, (502, "provider_error")),
        (403, (502, "provider_error")),
        (404, (404, "model_not_found")),
        (408, (504, "provider_timeout")),
        (429, (429, "rate_limit_exceeded")),
        (500, (502, "provider_error")),
        (503, (503, "provider_unavailable")),
        (302, (502, "provider_error")),
    ],
)
async def test_a_refusal_is_told_as_what_it_is(
    running: Rig, fake: FakeProvider, status: int, expected: tuple[int, str], *, stream: bool
) -> None:
    fake.queue(Reply(status=status, error={"message": "because of reasons"}, headers={"retry-after": "7"}))
    answer = await running.chat(stream=stream)
    assert code(answer) == expected
    assert "because of reasons" in answer.json()["error"]["message"]
    if status not in (429, 503):
        await works(running, fake)
        return
    assert answer.headers["retry-after"] == "7"
    again = await running.chat(stream=stream)  # which is not put to a provider that wants to be left alone
    assert code(again) == expected
    assert "it asked for that" in again.json()["error"]["message"]
    assert again.headers["retry-after"] in ("6", "7")
    assert len(fake.asked) == 1


async def test_a_context_overflow_has_its_own_code(running: Rig, fake: FakeProvider) -> None:
    fake.queue(Reply(status=400, error={"message": "too long", "code": "context_length_exceeded"}))
    assert code(await running.chat()) == (400, "context_length_exceeded")


async def test_a_caller_that_leaves_hangs_up_the_provider_and_is_charged(running: Rig, fake: FakeProvider) -> None:
    fake.queue(Reply(fault=Fault.ENDLESS, delay_seconds=0.01))
    body = {"model": "fake/fake-small", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    headers = bearer(running.run_token("fake/fake-small", run="left"))
    async with running.door.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
        async for _ in answer.aiter_bytes():
            break
    await fake.hung_up()
    await works(running, fake)  # the row before this one is on disk by now: one writer, in order
    [row] = await running.app.ledger.totals("RUN", Filter(run="runs/left"), offset=0, limit=2)
    assert row.usage.estimated
    assert row.usage.output_tokens > 0


@pytest.mark.parametrize("letters", [2, 1 << 20])
async def test_a_caller_that_leaves_before_the_answer_hangs_up_the_provider(
    running: Rig, fake: FakeProvider, letters: int
) -> None:
    fake.queue(Reply(fault=Fault.STALL_AT_ONCE))
    call = asyncio.create_task(running.chat(messages=[{"role": "user", "content": "h" * letters}]))
    await fake.was_asked()
    call.cancel()
    await fake.hung_up()
    await works(running, fake)


async def test_a_slow_reader_holds_the_provider_back_and_is_let_go(tmp_path: Path, fake: FakeProvider) -> None:
    async with rig(tmp_path / "home", fake, idle_seconds=0.5) as running:
        fake.queue(Reply(fault=Fault.ENDLESS))
        reader, writer = await asyncio.open_unix_connection(str(running.home.socket("door.sock")), limit=1024)
        body = json.dumps({"model": "fake/fake-small", "stream": True, "messages": [{"role": "user", "content": "hi"}]})
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {OPERATOR}\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
        await reader.readexactly(100)  # and not a byte more
        await fake.hung_up()
        await works(running, fake)
        writer.close()


async def test_calls_beyond_the_queue_are_refused_and_those_in_it_are_served(
    tmp_path: Path, fake: FakeProvider
) -> None:
    async with rig(tmp_path / "home", fake, concurrency=1, queue=1) as running:
        fake.queue(Reply("first", delay_seconds=0.5), Reply("second"))
        calls = [asyncio.create_task(running.chat(stream=True)) for _ in range(3)]
        answers = await asyncio.gather(*calls)
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) == 1
        assert code(refused[0]) == (429, "rate_limit_exceeded")
        assert refused[0].headers["retry-after"]
        assert sum(answer.text.count("[DONE]") for answer in answers) == 2


async def test_a_wait_in_the_queue_is_bounded(tmp_path: Path, fake: FakeProvider) -> None:
    async with rig(
        tmp_path / "home", fake, first_byte_seconds=1.0, total_seconds=3.0, concurrency=1, queue=8
    ) as running:
        fake.queue(Reply(fault=Fault.ENDLESS, delay_seconds=0.05))
        first = asyncio.create_task(running.chat(stream=True))
        await fake.was_asked()
        assert code(await running.chat()) == (429, "rate_limit_exceeded")
        await first
