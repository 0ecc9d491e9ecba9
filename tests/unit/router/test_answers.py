"""What gRPC's callers are brought is bounded on its way, counted once, and an error where it is one."""

import asyncio
import json

import pytest

from router.services.answers import Stream
from signet.kit.errors import SignetError

USED = (
    b': signet-usage {"input_tokens":3,"output_tokens":2,"cached_tokens":1,"reasoning_tokens":0,'
    b'"cache_write_tokens":0,"cost_microusd":null,"estimated":false}\n\n'
)


def event(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


async def test_a_stream_is_read_no_further_than_its_bound_ahead_of_its_reader() -> None:
    stream = Stream()
    sent = 0

    async def send() -> None:
        nonlocal sent
        for _ in range(100):
            await stream.send(event("x" * 65_536))
            sent += 1

    sending = asyncio.create_task(send())
    for _ in range(200):
        await asyncio.sleep(0)
    assert sent == 3  # and the one that waits: more than 256 KiB
    taken = 0
    while not sending.done():
        await stream.filled()
        taken += len(stream.taken())
        for _ in range(5):
            await asyncio.sleep(0)
    assert taken + len(stream.taken()) == 100


async def test_the_last_events_wait_for_nobody_and_nothing_is_lost() -> None:
    stream = Stream()
    await stream.send(event("a") + event("b"))
    await stream.end(b"data: [DONE]\n\n" + USED)
    stream.close()
    await stream.filled()
    assert [json.loads(each)["choices"][0]["delta"]["content"] for each in stream.taken()] == ["a", "b"]
    assert stream.usage is not None
    assert (stream.usage.input_tokens, stream.usage.cached_tokens, stream.usage.calls) == (3, 1, 1)
    assert not stream.usage.HasField("cost_microusd")
    assert stream.failure is None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('{"error":{"message":"it fell over","code":"provider_error"}}', "PROVIDER_UNAVAILABLE"),
        ('{"error":{"message":"used up","code":"budget_exhausted"}}', "BUDGET_EXHAUSTED"),
        ('{"error":"it fell over"}', "PROVIDER_UNAVAILABLE"),
        ('{"error":', "PROVIDER_UNAVAILABLE"),
        ('{"id":"x","error":{"code":502,"message":"gone"},"choices":[{"delta":{}}]}', "PROVIDER_UNAVAILABLE"),
        ('{ "error" : "it fell over" }', "PROVIDER_UNAVAILABLE"),
    ],
)
async def test_an_error_in_a_stream_is_no_event_of_it(said: str, reason: str) -> None:
    stream = Stream()
    await stream.end(f"data: {said}\n\n".encode())
    assert stream.taken() == []
    assert isinstance(stream.failure, SignetError)
    assert stream.failure.reason == reason


@pytest.mark.parametrize(
    "said",
    ['{"error":null,"choices":[]}', '{"error": null}', '{"choices":[{"error":{"message":"of one"}}]}', '{"a":"error"}'],
)
async def test_an_event_that_tells_of_no_error_is_one_of_the_stream(said: str) -> None:
    stream = Stream()
    await stream.end(f"data: {said}\n\n".encode())
    assert stream.taken() == [said.encode()]
    assert stream.failure is None


async def test_a_stream_answers_nothing_whole() -> None:
    with pytest.raises(RuntimeError):
        await Stream().whole(b"{}", b"{}")
