"""InferenceService over a real channel: the door's answers, its errors as gRPC's, bounded streams, calls cut off."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from router.store.ledger import Filter, Row
from signet.kit import dial
from signet.kit.errors import (
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    SignetError,
    Unauthenticated,
    Unavailable,
    from_rpc,
)
from signet.v1 import budgets_pb2
from signet.v1 import inference_pb2 as pb
from signet.v1.budgets_pb2_grpc import BudgetServiceStub
from signet.v1.inference_pb2_grpc import InferenceServiceStub
from tests.fakes.llamacpp import FakeLlamaCpp
from tests.fakes.provider import FakeProvider, Fault, Reply
from tests.fakes.responses import FakeResponses
from tests.unit.router.rig import VIEWER, Rig, add, rig

HI: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with FakeProvider(key="sk-of-the-fake") as served:
        yield served


@pytest.fixture
async def running(tmp_path: Path, fake: FakeProvider) -> AsyncIterator[Rig]:
    async with rig(tmp_path / "d", fake, first_byte_seconds=1.0, idle_seconds=1.0, body_bytes=8 << 20) as made:
        yield made


@pytest.fixture
def stub(running: Rig) -> Any:
    return InferenceServiceStub(running.channel)


def asked(**fields: Any) -> bytes:
    return json.dumps({"model": "fake/fake-small", "messages": HI, **fields}).encode()


async def refused(call: Any, seen: list[bytes] | None = None) -> SignetError:
    """Give the error of a call that must fail; `seen` takes the events that came before."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (read(call, [] if seen is None else seen) if hasattr(call, "read") else call)
    return from_rpc(caught.value)


async def read(call: Any, seen: list[bytes]) -> None:
    async for message in call:
        seen += message.events


async def outcomes(running: Rig, calls: int) -> list[str]:
    """Give how calls ended, once that many are in the ledger."""
    rows: list[Row] = []
    for _ in range(1000):
        rows = await running.app.ledger.rows(Filter(), after=None, limit=calls + 1)
        if len(rows) >= calls:
            break
        await asyncio.sleep(0.01)
    return [row.outcome for row in rows]


async def test_an_answer_comes_whole_with_what_it_used(stub: Any) -> None:
    answer = await stub.Complete(pb.CompleteRequest(body=asked(stream=True, stream_options={"include_usage": True})))
    body = json.loads(answer.body)
    assert body["choices"][0]["message"]["content"] == "You said: hi"
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.calls) == (11, 5, 1)
    assert not answer.usage.HasField("cost_microusd")


async def test_a_stream_has_the_doors_events_and_its_usage_last(running: Rig, stub: Any) -> None:
    request = pb.StreamCompleteRequest(body=asked())
    messages = [message async for message in stub.StreamComplete(request)]
    events = [json.loads(event) for message in messages for event in message.events]
    text = "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
    assert text == "You said: hi"
    assert [message.HasField("usage") for message in messages] == [False] * (len(messages) - 1) + [True]
    assert messages[-1].usage.output_tokens == 5
    assert await outcomes(running, 1) == ["answered"]


async def test_events_that_come_together_are_one_message_and_the_first_is_not_held_up(
    fake: FakeProvider, stub: Any
) -> None:
    fake.queue(Reply(" ".join(["word"] * 200), delay_seconds=0.001))
    messages = [message async for message in stub.StreamComplete(pb.StreamCompleteRequest(body=asked()))]
    assert sum(len(message.events) for message in messages) >= 200
    assert len(messages[0].events) < 20
    assert len(messages) < 100


async def test_texts_are_embedded(stub: Any) -> None:
    body = json.dumps({"model": "fake/fake-embed", "input": ["a", "b"]}).encode()
    answer = await stub.Embed(pb.EmbedRequest(body=body))
    assert len(json.loads(answer.body)["data"]) == 2
    assert answer.usage.input_tokens == 2


async def test_tokens_are_estimated_where_nobody_counts_and_nothing_is_asked(fake: FakeProvider, stub: Any) -> None:
    messages = [{"role": "user", "content": "word " * 400}]
    found = await stub.CountTokens(pb.CountTokensRequest(body=asked(messages=messages)))
    assert found.exact is False
    assert 400 <= found.input_tokens <= 800
    assert not fake.asked


async def test_tokens_are_exact_where_the_provider_counts(running: Rig, stub: Any) -> None:
    async with FakeLlamaCpp() as counting:
        await add(running, counting, "counting", kind="PROVIDER_KIND_LLAMACPP")
        model = f"counting/{counting.models[0]}"
        found = await stub.CountTokens(pb.CountTokensRequest(body=asked(model=model)))
        assert found.exact
        assert found.input_tokens > 0


async def test_a_provider_of_another_form_is_asked_alike(running: Rig, stub: Any) -> None:
    async with FakeResponses() as other:
        await add(running, other, "other", kind="PROVIDER_KIND_RESPONSES")
        answer = await stub.Complete(pb.CompleteRequest(body=asked(model="other/fake-small")))
        assert json.loads(answer.body)["choices"][0]["message"]["content"] == "You said: hi"


async def test_a_run_asks_with_its_own_token_and_only_what_it_may(running: Rig) -> None:
    async with dial.channel(running.home.target("router.sock"), running.run_token("fake/fake-small")) as channel:
        stub = InferenceServiceStub(channel)
        await stub.Complete(pb.CompleteRequest(body=asked()))
        error = await refused(stub.Complete(pb.CompleteRequest(body=asked(model="fake/fake-large"))))
        assert isinstance(error, PermissionDenied)
        assert error.reason == "POLICY_DENIED"
        assert isinstance(await refused(stub.CountTokens(pb.CountTokensRequest(body=asked(model="fake/x")))),
                          PermissionDenied)  # fmt: skip
    rows = await running.app.ledger.rows(Filter(), after=None, limit=5)
    assert [row.run for row in rows] == ["runs/r1"]


@pytest.mark.parametrize(
    ("token", "kind"), [("sgt_nobody", Unauthenticated), (None, Unauthenticated), (VIEWER, PermissionDenied)]
)
async def test_who_may_not_ask_is_refused(
    running: Rig, fake: FakeProvider, token: str | None, kind: type[SignetError]
) -> None:
    async with dial.channel(running.home.target("router.sock"), token) as channel:
        stub = InferenceServiceStub(channel)
        for call in (
            stub.Complete(pb.CompleteRequest(body=asked())),
            stub.StreamComplete(pb.StreamCompleteRequest(body=asked())),
            stub.CountTokens(pb.CountTokensRequest(body=asked())),
            stub.Embed(pb.EmbedRequest(body=asked())),
        ):
            assert isinstance(await refused(call), kind)
    assert not fake.asked


async def test_a_run_token_opens_no_other_service(running: Rig) -> None:
    async with dial.channel(running.home.target("router.sock"), running.run_token("fake/fake-small")) as channel:
        error = await refused(BudgetServiceStub(channel).ListBudgets(budgets_pb2.ListBudgetsRequest()))
        assert isinstance(error, Unauthenticated | PermissionDenied)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model":"fake/fake-small"}', b'{"model":1}', b"\xff"])
async def test_a_bad_request_is_told_where_it_is_bad(stub: Any, body: bytes) -> None:
    for call in (
        stub.Complete(pb.CompleteRequest(body=body)),
        stub.StreamComplete(pb.StreamCompleteRequest(body=body)),
        stub.CountTokens(pb.CountTokensRequest(body=body)),
    ):
        error = await refused(call)
        assert isinstance(error, InvalidArgument)
        assert error.reason == "INVALID_FIELD"


async def test_a_body_of_many_megabytes_is_taken_and_one_beyond_the_bound_is_not(stub: Any) -> None:
    messages = [{"role": "user", "content": "x" * (7 << 20)}]
    await stub.Complete(pb.CompleteRequest(body=asked(messages=messages)))
    messages = [{"role": "user", "content": "x" * (9 << 20)}]
    assert isinstance(await refused(stub.Complete(pb.CompleteRequest(body=asked(messages=messages)))),
                      ResourceExhausted)  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "kind", "reason"),
    [
        (Reply(status=400, error={"message": "no"}), InvalidArgument, "INVALID_FIELD"),
        (Reply(status=429, headers={"retry-after": "7"}), ResourceExhausted, "LIMIT_REACHED"),
        (Reply(status=500), Unavailable, "PROVIDER_UNAVAILABLE"),
        (Reply(fault=Fault.GARBAGE), Unavailable, "PROVIDER_UNAVAILABLE"),
        (Reply(fault=Fault.STALL_AT_ONCE), DeadlineExceeded, "PROVIDER_UNAVAILABLE"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_provider_does_wrong_is_told_by_code_and_reason(
    fake: FakeProvider, stub: Any, reply: Reply, kind: type[SignetError], reason: str, *, stream: bool
) -> None:
    fake.queue(reply)
    call = (
        stub.StreamComplete(pb.StreamCompleteRequest(body=asked()))
        if stream
        else stub.Complete(pb.CompleteRequest(body=asked()))
    )
    error = await refused(call)
    assert (type(error), error.reason) == (kind, reason)
    assert "sk-of-the-fake" not in error.message
    if reply.status == 429:
        assert error.retry_after_seconds in (6, 7)


async def test_a_model_that_is_not_there_is_answered_with_near_names(stub: Any) -> None:
    error = await refused(stub.Complete(pb.CompleteRequest(body=asked(model="fake/fake-smal"))))
    assert isinstance(error, NotFound)
    assert error.reason == "MODEL_NOT_FOUND"
    assert "fake/fake-small" in error.message


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HALF_EVENT, Fault.NO_DONE, Fault.ERROR_EVENT, Fault.STALL])
async def test_a_stream_that_breaks_fails_after_what_came(fake: FakeProvider, stub: Any, fault: Fault) -> None:
    fake.queue(Reply("one two three four five six", fault=fault))
    events: list[bytes] = []
    error = await refused(stub.StreamComplete(pb.StreamCompleteRequest(body=asked())), events)
    assert isinstance(error, Unavailable | DeadlineExceeded)
    assert events
    assert not any(b'"error"' in event for event in events)


async def test_a_call_that_is_cancelled_ends_the_providers_work(running: Rig, fake: FakeProvider, stub: Any) -> None:
    fake.queue(Reply("word " * 5000, delay_seconds=0.01), Reply(fault=Fault.STALL_AT_ONCE))
    stream = stub.StreamComplete(pb.StreamCompleteRequest(body=asked()))
    await stream.read()
    stream.cancel()
    await fake.hung_up()
    whole = asyncio.ensure_future(stub.Complete(pb.CompleteRequest(body=asked())))
    await fake.was_asked(2)
    whole.cancel()
    await fake.hung_up(2)
    assert await outcomes(running, 2) == ["left", "left"]


async def test_a_deadline_of_the_callers_ends_the_providers_work(fake: FakeProvider, stub: Any) -> None:
    fake.queue(Reply(fault=Fault.STALL_AT_ONCE))
    error = await refused(stub.Complete(pb.CompleteRequest(body=asked()), timeout=0.3))
    assert isinstance(error, DeadlineExceeded)
    await fake.hung_up()


async def test_a_reader_that_stalls_is_left_and_its_provider_is_read_no_further(
    running: Rig, fake: FakeProvider
) -> None:
    fake.queue(Reply("x" * 512, fault=Fault.ENDLESS))
    stub: Any = InferenceServiceStub(running.channel)
    stream = stub.StreamComplete(pb.StreamCompleteRequest(body=asked()))
    await stream.read()
    await fake.hung_up(wait_seconds=30)
    assert await outcomes(running, 1) == ["left"]
    stream.cancel()
