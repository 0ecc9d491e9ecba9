"""Whatever stands where something else should, there is an answer or one clear error, and never a fault of ours."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from router.ask import CHAT, Ask
from router.dialects.events import Garbage, written
from router.dialects.flow import Flow
from router.dialects.forms import dialect, face
from router.dialects.responses import answer
from router.dialects.responses.envelope import Envelope
from router.dialects.responses.passing import Passing
from router.dialects.responses.reader import ResponsesReader
from router.dialects.responses.writer import ResponsesWriter
from router.refusal import Refusal

T = TypeVar("T")

WORDS = st.sampled_from(
    [
        "message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output", "reasoning",
        "item_reference", "input_text", "input_image", "input_file", "output_text", "refusal", "summary_text",
        "function", "custom", "grammar", "web_search", "shell", "allowed_tools", "json_schema", "json_object", "text",
        "image_url", "file", "user", "assistant", "tool", "developer", "auto", "required", "signet.", "signet.e30=",
        "url_citation", "response.created", "response.completed", "response.failed", "response.incomplete", "error",
        "completed", "response.output_text.delta", "response.output_item.added", "response.output_item.done",
        "incomplete", "length",
        "response.function_call_arguments.delta", "response.output_text.annotation.added", "stop", "\ud800",
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "type", "role", "content", "text", "format", "name", "schema", "call_id", "arguments", "input", "output", "id",
        "image_url", "url", "file_id", "file_data", "file_url", "summary", "encrypted_content", "effort", "tools",
        "mode", "environment", "function", "custom", "delta", "response", "item", "output_index", "annotation", "error",
        "status",
        "usage", "choices", "message", "tool_calls", "finish_reason", "index", "logprobs", "annotations", "refusal",
        "reasoning_content", "reasoning_details", "data", "incomplete_details", "reason", "part", "created_at", "model",
        "url_citation", "grammar", "syntax", "signature", "verbosity", "tool_call_id", "file", "input_audio",
    ]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-2, 1 << 41) | st.floats(allow_nan=False) | WORDS | st.text(max_size=3)
ANY: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=8
)
OBJECT = st.dictionaries(NAMES, ANY, max_size=6)
REQUEST = st.fixed_dictionaries(
    {"model": st.just("a/b"), "input": ANY | st.lists(OBJECT, max_size=4)},
    optional={
        name: ANY | st.lists(OBJECT, max_size=2)
        for name in (
            "instructions", "tools", "tool_choice", "text", "reasoning", "include", "max_output_tokens", "metadata",
            "stream", "conversation", "prompt", "previous_response_id", "context_management", "top_logprobs",
            "truncation",
        )
    },
)  # fmt: skip
CHATTED = st.fixed_dictionaries(
    {"model": st.just("a/b"), "messages": st.lists(st.builds(lambda said, role: said | {"role": role}, OBJECT, WORDS))},
    optional=dict.fromkeys(
        (
            "tools", "tool_choice", "response_format", "max_tokens", "max_completion_tokens", "n", "stop", "modalities",
            "logprobs", "top_logprobs", "reasoning_effort", "verbosity", "store",
        ),
        ANY,
    ),
)  # fmt: skip


def asked(body: Any) -> Ask | None:
    return done(400, lambda: face("responses").parse("", json.dumps(body).encode()))


def done(status: int, work: Callable[[], T]) -> T | None:
    """Do it, or be refused with this status."""
    try:
        return work()
    except Refusal as refused:
        refusal = refused
    assert refusal.status == status
    return None


@settings(max_examples=150)
@given(body=REQUEST, neutral=OBJECT | st.fixed_dictionaries({"choices": st.lists(OBJECT, max_size=2)}))
def test_a_request_is_read_or_refused_and_its_answer_is_written_or_refused(body: Any, neutral: Any) -> None:
    ask = asked(body)
    if ask is None:
        return
    json.dumps(ask.body)
    json.dumps(done(502, lambda: face("responses").answer(ask, neutral)))


@settings(max_examples=150)
@given(body=CHATTED)
def test_a_chat_request_is_written_or_refused(body: Any) -> None:
    ask = Ask(CHAT, "a/b", body, 1, stream=False, include_usage=False)
    request = done(400, lambda: dialect("responses").request(ask, "b"))
    assert request is None or json.loads(request.body or b"")["model"] == "b"


@settings(max_examples=150)
@given(native=OBJECT | st.fixed_dictionaries({"output": st.lists(OBJECT, max_size=4)}))
def test_an_answer_is_read_or_refused(native: Any) -> None:
    dialect("responses").usage(native)
    json.dumps(done(502, lambda: answer.read(native)))


@settings(max_examples=150)
@given(events=st.lists(OBJECT, max_size=6))
def test_a_stream_is_read_and_passed_on_or_garbage(events: list[Any]) -> None:
    reader, passing = ResponsesReader(), Flow(Passing())
    with suppress(Garbage):
        for event in events:
            json.dumps(reader.read(json.dumps(event).encode()))
    with suppress(Garbage):
        for event in events:
            passing.feed(written(event))
    passing.reading.settle(1)


@settings(max_examples=150)
@given(events=st.lists(OBJECT | st.fixed_dictionaries({"choices": st.lists(OBJECT, max_size=2)}), max_size=6))
def test_whatever_a_chat_stream_says_is_written(events: list[Any]) -> None:
    ask = asked({"model": "a/b", "input": "hi"})
    assert ask is not None
    writer = ResponsesWriter(Envelope(ask, "m", 1))
    for event in events:
        writer.write(event)
    assert b"event: response." in writer.end()
