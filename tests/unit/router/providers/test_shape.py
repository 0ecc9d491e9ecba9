"""Requests are put to each server in words that it knows, what it says of its cost is believed, and nothing is lost."""

import copy
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.ask import CHAT, Ask
from router.price import FREE, Price, cost, source
from router.providers.llamacpp import LlamaCpp
from router.providers.lmstudio import LMStudio
from router.providers.manner import Manner, Plain
from router.providers.ollama import Ollama
from router.providers.openrouter import OpenRouter
from router.providers.shape import refuses_usage
from router.providers.vllm import VLLM
from router.usage import Usage, of, read
from signet.v1 import providers_pb2 as pb
from signet.v1 import usage_pb2
from signet.v1.usage_pb2_grpc import UsageServiceStub
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.provider import FakeProvider, Fault, Reply
from tests.unit.router.rig import Rig, add, code, events, rig, said_usage

MANNERS: dict[str, type[Manner]] = {
    "OPENAI": Plain, "OLLAMA": Ollama, "LMSTUDIO": LMStudio, "LLAMACPP": LlamaCpp, "VLLM": VLLM,
    "OPENROUTER": OpenRouter,
}  # fmt: skip
USER = {"role": "user", "content": "hi"}
SYSTEM, DEVELOPER = {"role": "system", "content": "be"}, {"role": "developer", "content": "be"}
THOUGHT = {"role": "assistant", "reasoning_content": "well", "content": "hi"}
THOUGHT_TOO = {"role": "assistant", "reasoning": "well", "content": "hi"}
COSTS = {"usage": {"include": True}}
OLD = {"max_tokens": 7}


@pytest.mark.parametrize(
    ("kinds", "given_fields", "expected"),
    [
        ("OLLAMA LMSTUDIO LLAMACPP", {"max_completion_tokens": 7}, OLD),
        ("OLLAMA LMSTUDIO LLAMACPP", {"max_completion_tokens": 7, "max_tokens": 9}, OLD),
        ("OLLAMA LMSTUDIO LLAMACPP", {"max_completion_tokens": None}, {}),
        ("OPENAI VLLM", {"max_completion_tokens": 7}, {"max_completion_tokens": 7}),
        ("OPENROUTER", {"max_completion_tokens": 7}, {**OLD, **COSTS}),
        ("OPENROUTER", {"usage": {"x": 1}}, {"usage": {"x": 1, "include": True}}),
        ("OLLAMA LMSTUDIO LLAMACPP VLLM", {"messages": [DEVELOPER, USER]}, {"messages": [SYSTEM, USER]}),
        ("OPENAI", {"messages": [DEVELOPER, USER]}, {"messages": [DEVELOPER, USER]}),
        ("OLLAMA", {"messages": [THOUGHT, USER]}, {"messages": [THOUGHT_TOO, USER]}),
        ("OPENROUTER", {"messages": [THOUGHT, USER]}, {"messages": [THOUGHT_TOO, USER], **COSTS}),
        ("LLAMACPP LMSTUDIO", {"messages": [THOUGHT_TOO, USER]}, {"messages": [THOUGHT, USER]}),
        ("OPENAI LLAMACPP LMSTUDIO VLLM", {"messages": [THOUGHT, USER]}, {"messages": [THOUGHT, USER]}),
        ("OPENAI OLLAMA VLLM", {"messages": [THOUGHT_TOO, USER]}, {"messages": [THOUGHT_TOO, USER]}),
        ("OPENROUTER", {"messages": [DEVELOPER, USER]}, {"messages": [DEVELOPER, USER], **COSTS}),
        ("OLLAMA", {"reasoning_effort": "minimal"}, {"reasoning_effort": "low"}),
        ("OLLAMA OPENAI LMSTUDIO", {"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
        ("OPENAI", {"reasoning_effort": "minimal"}, {"reasoning_effort": "minimal"}),
        ("VLLM", {"reasoning_effort": "xhigh"},
         {"reasoning_effort": "high", "chat_template_kwargs": {"reasoning_effort": "high"}}),
        ("VLLM", {"reasoning_effort": "none"}, {"chat_template_kwargs": {"enable_thinking": False}}),
        ("LLAMACPP", {"reasoning_effort": "none"},
         {"reasoning_effort": "none", "chat_template_kwargs": {"enable_thinking": False}}),
        ("LLAMACPP", {"reasoning_effort": "low", "chat_template_kwargs": {"reasoning_effort": "own", "a": 1}},
         {"reasoning_effort": "low", "chat_template_kwargs": {"reasoning_effort": "own", "a": 1}}),
        ("OPENROUTER", {"reasoning_effort": "high"}, {"reasoning": {"effort": "high"}, **COSTS}),
        ("OPENROUTER", {"reasoning_effort": "high", "reasoning": {"max_tokens": 5}},
         {"reasoning_effort": "high", "reasoning": {"max_tokens": 5}, **COSTS}),
        ("LMSTUDIO", {"response_format": {"type": "json_object"}},
         {"response_format": {"type": "json_schema",
                              "json_schema": {"name": "object", "schema": {"type": "object"}}}}),
        ("OPENAI OLLAMA LLAMACPP VLLM", {"response_format": {"type": "json_object"}},
         {"response_format": {"type": "json_object"}}),
    ],
)  # fmt: skip
def test_a_request_is_put_in_words_that_its_server_knows(
    kinds: str, given_fields: Mapping[str, Any], expected: Mapping[str, Any]
) -> None:
    for kind in kinds.split():
        body = {"model": "m", "messages": [USER], "x": 1, **given_fields}
        kept = copy.deepcopy(body)
        assert MANNERS[kind]().shape(body) == {"model": "m", "messages": [USER], "x": 1, **expected}, kind
        assert body == kept, "what was asked is another's, too: another target may be asked the same"


FIELDS = st.dictionaries(
    st.sampled_from(["max_tokens", "max_completion_tokens", "messages", "reasoning_effort", "reasoning", "usage",
                     "response_format", "chat_template_kwargs", "stream_options", "tools"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "type", "effort", "a"]), inner, max_size=3),
        max_leaves=8,
    ),
)  # fmt: skip


@settings(deadline=None)
@given(body=FIELDS)
@pytest.mark.parametrize("kind", MANNERS)
def test_whatever_stands_in_a_request_is_shaped_without_a_fault_and_fields_nobody_knows_stay(
    kind: str, body: dict[str, Any]
) -> None:
    shaped = MANNERS[kind]().shape({**body, "model": "m", "nobody": body})
    assert (shaped["model"], shaped["nobody"]) == ("m", body)
    assert set(body) - set(shaped) <= {"max_completion_tokens", "reasoning_effort"}


@pytest.mark.parametrize("kind", ["OPENAI", "OLLAMA", "LMSTUDIO", "LLAMACPP", "VLLM"])
def test_a_request_that_needs_no_change_is_the_same_one(kind: str) -> None:
    body = {"model": "m", "messages": [SYSTEM, USER], "max_tokens": 5, "temperature": 0, "stream": True}
    assert MANNERS[kind]().shape(body) is body


def test_a_call_that_is_not_asked_for_its_usage_is_else_the_same() -> None:
    ask = Ask(CHAT, "m", {"messages": [USER], "stream": True, "x": 1}, 9, stream=True, include_usage=False)
    sent = json.loads(replace(ask, silent=True).upstream("n"))
    assert sent == {"messages": [USER], "stream": True, "x": 1, "model": "n"}
    assert "stream_options" in json.loads(ask.upstream("n"))


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b'{"error":{"message":"Unrecognized request argument supplied: stream_options"}}', True),
        (422, b'{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"]}]}', True),
        (400, b'{"error":{"message":"no such model"}}', False),
        (500, b"stream_options", False),
        (401, b"stream_options", False),
    ],
)
def test_only_a_refusal_that_names_the_field_is_taken_for_one_of_it(
    status: int, body: bytes, *, expected: bool
) -> None:
    assert refuses_usage(status, body) is expected


class Strict(FakeProvider):
    """An old server, which refuses what it does not know."""

    def refuse(self, request: Mapping[str, Any]) -> Reply | None:
        if "stream_options" in request:
            return Reply(status=422, error={"message": "extra fields not permitted: stream_options"})
        return None


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path / "home") as started:
        yield started


async def test_a_server_that_refuses_the_question_for_usage_is_asked_once_more_and_then_never_again(
    running: Rig,
) -> None:
    async with Strict() as fake:
        await add(running, fake)
        first = await running.chat(stream=True)
        second = await running.chat(stream=True)
        assert (first.status_code, second.status_code) == (200, 200)
        assert said_usage(second.text)["estimated"] is True
        assert ["stream_options" in asked.body for asked in fake.asked] == [True, False, False]
        own = await running.chat(stream=True, stream_options={"include_usage": True})
        assert code(own) == (400, "invalid_request")  # what a caller asks for itself is not left out


async def test_a_refusal_of_anything_else_is_not_asked_again(running: Rig) -> None:
    async with FakeProvider() as fake:
        await add(running, fake)
        fake.queue(Reply(status=400, error={"message": "temperature must be below 2"}))
        assert (await running.chat(stream=True)).status_code == 400
        assert len(fake.asked) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_what_openrouter_says_that_a_call_cost_is_what_it_cost(running: Rig, *, stream: bool) -> None:
    async with FakeOpenRouter() as fake:
        await add(running, fake, "it", kind=pb.PROVIDER_KIND_OPENROUTER)
        answer = await running.chat(model="it/qwen/qwen3-vl", stream=stream)
    told = said_usage(answer.text) if stream else json.loads(answer.headers["x-signet-usage"])
    assert told["cost_microusd"] == 15  # 14.3, rounded up
    calls = await UsageServiceStub(running.channel).ListCalls(usage_pb2.ListCallsRequest())
    assert (calls.calls[0].usage.cost_microusd, calls.calls[0].price_source) == (15, "provider")


async def test_what_the_user_says_that_it_costs_stands_above_what_openrouter_says(running: Rig) -> None:
    async with FakeOpenRouter() as fake:
        prices = {"input_price_microusd_per_million": 1_000_000, "output_price_microusd_per_million": 0}
        await add(running, fake, "it", kind=pb.PROVIDER_KIND_OPENROUTER, **prices)
        answer = await running.chat(model="it/qwen/qwen3-vl")
    assert json.loads(answer.headers["x-signet-usage"])["cost_microusd"] == 11


async def test_nobody_else_is_believed_what_it_says_of_its_cost(running: Rig) -> None:
    async with FakeOpenRouter() as fake:
        await add(running, fake, "it", kind=pb.PROVIDER_KIND_OPENAI)
        answer = await running.chat(model="it/qwen/qwen3-vl", usage={"include": True})
    assert answer.json()["usage"]["cost"] == 0.0000143
    assert json.loads(answer.headers["x-signet-usage"])["cost_microusd"] is None


async def test_an_error_within_a_stream_of_openrouter_is_no_answer(running: Rig) -> None:
    async with FakeOpenRouter() as fake:
        await add(running, fake, "it", kind=pb.PROVIDER_KIND_OPENROUTER)
        fake.queue(Reply(fault=Fault.ERROR_EVENT))
        answer = await running.chat(model="it/qwen/qwen3-vl", stream=True)
        found = events(answer.text)
        assert any("error" in event for event in found if isinstance(event, dict))
        assert "[DONE]" not in found
    calls = await UsageServiceStub(running.channel).ListCalls(usage_pb2.ListCallsRequest())
    assert calls.calls[0].outcome == "broken"


async def test_an_error_with_status_200_is_an_error(running: Rig) -> None:
    async with FakeOpenRouter() as fake:
        await add(running, fake, "it", kind=pb.PROVIDER_KIND_OPENROUTER)
        fake.queue(Reply(raw='{"error":{"code":502,"message":"the model is down"}}'))
        answer = await running.chat(model="it/qwen/qwen3-vl")
    assert code(answer) == (502, "provider_error")
    assert "the model is down" in answer.text


async def test_comments_before_an_answer_do_not_begin_it(running: Rig) -> None:
    """What comes before the first event is no answer yet: whoever fails then can still be told from one who answers."""
    async with FakeOpenRouter() as fake:
        await add(running, fake, "it", kind=pb.PROVIDER_KIND_OPENROUTER)
        fake.queue(Reply(fault=Fault.RESET, cut=30))
        whole = await running.chat(model="it/qwen/qwen3-vl", stream=True)
        assert not any(event.startswith(": OPENROUTER") for event in events(whole.text) if isinstance(event, str))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"timings": {"prompt_n": 5, "cache_n": 3, "predicted_n": 2}}, Usage(8, 2, 3)),
        ({"timings": {"prompt_n": 5, "predicted_n": 2}}, Usage(5, 2)),
        ({"usage": {"prompt_tokens": 1, "completion_tokens": 1}, "timings": {"prompt_n": 5, "predicted_n": 2}},
         Usage(1, 1)),
        ({"usage": None, "timings": {"prompt_n": 5, "predicted_n": 2}}, Usage(5, 2)),
        ({"timings": {"prompt_n": "5", "predicted_n": 2}}, None),
        ({"timings": None}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_llama_cpps_timings_count_where_it_tells_no_usage(said: Any, expected: Usage | None) -> None:
    assert of(said) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"cost": 0.0000143}, 15),
        ({"cost": 0}, 0),
        ({"cost": 1}, 1_000_000),
        ({"cost": 0.00001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.0002}}, 210),
        ({"cost": 0.00001, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.0002}}, 10),
        ({"cost": -1}, None),
        ({"cost": "1"}, None),
        ({"cost": True}, None),
        ({"cost": float("nan")}, None),
        ({"cost": float("inf")}, None),
        ({"cost": 1e12}, None),
        ({}, None),
    ],
)
def test_a_cost_is_read_in_dollars_and_nonsense_is_none(fields: Mapping[str, Any], expected: int | None) -> None:
    usage = read({"prompt_tokens": 1, "completion_tokens": 1, **fields})
    assert usage is not None
    assert usage.cost_microusd == expected


def test_a_cost_that_was_told_stands_only_where_it_is_believed() -> None:
    usage = Usage(1_000_000, 0, cost_microusd=3)
    told = Price(7, 7, source="openrouter", told=True)
    assert (cost(told, usage), source(told, usage)) == (3, "provider")
    assert (cost(Price(7, 7, source="user"), usage), source(Price(7, 7, source="user"), usage)) == (7, "user")
    assert (cost(told, Usage(1_000_000, 0)), source(told, Usage(1_000_000, 0))) == (7, "openrouter")
    assert cost(FREE, usage) == 0
