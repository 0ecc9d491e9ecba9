"""Streams of the Responses API are written, read and passed on: in order, whole, the same however they are cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from router.ask import CHAT, Ask, parse
from router.dialects.codec import Translated, Translation
from router.dialects.events import Garbage
from router.dialects.flow import Flow
from router.dialects.forms import dialect, face
from router.dialects.responses.answer import read, write
from router.dialects.responses.envelope import Envelope
from router.dialects.responses.passing import Passing
from router.dialects.responses.reader import ResponsesReader
from router.dialects.responses.writer import ResponsesWriter
from router.refusal import Refusal, provider_error
from router.usage import Usage

OFFICIAL: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
USED = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}


def asked(**fields: Any) -> Ask:
    body = {"model": "fake/small", "input": "hi", "stream": True, **fields}
    return face("responses").parse("", json.dumps(body).encode())


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"model": "small", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def called(index: int, text: str, **first: Any) -> dict[str, Any]:
    name = {"name": first.pop("name")} if "name" in first else {}
    return chunk(tool_calls=[{"index": index, **first, "function": {**name, "arguments": text}}])


def sent(stream: bytes) -> list[dict[str, Any]]:
    """Give a stream's events, each checked for its name."""
    found = []
    for event in stream.decode().split("\n\n")[:-1]:
        name, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def told(*events: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    writer = ResponsesWriter(Envelope(asked(**fields), "m", 1))
    return sent(b"".join(writer.write(event) for event in events) + writer.end())


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def test_a_text_is_told_in_the_order_that_openai_has() -> None:
    events = told(chunk(role="assistant", content=""), chunk(content="Hel"), chunk(content="lo"), chunk("stop"),
                  {"choices": [], "usage": USED})  # fmt: skip
    assert kinds(events) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    last = events[-1]["response"]
    assert last["output"][0]["content"] == [
        {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []},
    ]
    assert last["usage"] == {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 13,
    }
    assert (last["status"], last["model"], last["store"]) == ("completed", "small", False)


def test_thoughts_words_and_parallel_calls_are_items_one_after_the_other() -> None:
    events = told(
        chunk(reasoning_content="Hm"),
        chunk(reasoning="m."),
        chunk(reasoning_details=[{"type": "reasoning.text", "signature": "s", "format": "f"}]),
        chunk(content="I look."),
        called(0, "", id="c0", type="function", name="look"),
        called(1, "", id="c1", type="function", name="ask"),
        called(0, '{"a'),
        called(1, "{}"),
        called(0, '":1}'),
        chunk("tool_calls"),
    )
    assert kinds(events) == [
        "created", "in_progress",
        "output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.delta",
        "reasoning_text.done", "content_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done",
        "output_item.added", "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    output = events[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["reasoning", "message", "function_call", "function_call"]
    assert output[0]["content"] == [{"type": "reasoning_text", "text": "Hmm."}]
    assert [(item["call_id"], item["name"], item["arguments"]) for item in output[2:]] == [
        ("c0", "look", '{"a":1}'),
        ("c1", "ask", "{}"),
    ]
    back = asked(input=[*output, {"type": "function_call_output", "call_id": "c0", "output": "blue"}]).body["messages"]
    assert back[0]["reasoning_details"] == [{"type": "reasoning.text", "signature": "s", "format": "f"}]


def test_thoughts_are_a_summary_where_one_was_asked_for() -> None:
    events = told(chunk(reasoning_content="Hm."), chunk("stop", content="Yes."), reasoning={"summary": "auto"})
    assert kinds(events)[2:7] == [
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done",
    ]  # fmt: skip
    assert events[-1]["response"]["output"][0]["summary"] == [{"type": "summary_text", "text": "Hm."}]


@pytest.mark.parametrize(("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_an_answer_that_was_cut_short_is_incomplete(finish: str, reason: str) -> None:
    last = told(chunk(finish, content="a"))[-1]
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "incomplete")
    assert last["response"]["incomplete_details"] == {"reason": reason}


def test_a_refusal_is_a_part_of_its_own() -> None:
    events = told(chunk(refusal="I can"), chunk(refusal="not."), chunk("stop"))
    assert "refusal.delta" in kinds(events)
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "I cannot."}]


def test_annotations_and_probabilities_are_told() -> None:
    cite = {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}
    likely = chunk(content="a")
    likely["choices"][0]["logprobs"] = {"content": [{"token": "a", "logprob": -1, "bytes": [97], "top_logprobs": []}]}
    events = told(likely, chunk(annotations=[cite]), chunk("stop"))
    part = events[-1]["response"]["output"][0]["content"][0]
    assert part["annotations"] == [{"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}]
    assert part["logprobs"][0]["token"] == "a"


def test_calls_that_all_have_one_index_are_told_apart_by_their_ids() -> None:
    events = told(called(0, "{}", id="c0", name="look"), called(0, "[]", id="c1", name="ask"), chunk("tool_calls"))
    output = events[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [("c0", "{}"), ("c1", "[]")]


def test_an_error_has_the_next_number_and_is_what_the_official_client_looks_for() -> None:
    writer = ResponsesWriter(Envelope(asked(), "m", 1))
    before = sent(writer.write(chunk(content="a")))
    error = sent(writer.broken(provider_error("it fell over")))[0]
    assert error["sequence_number"] == len(before)
    assert (error["code"], error["message"], error["error"]["code"]) == (
        "provider_error", "it fell over", "provider_error",
    )  # fmt: skip


DELTAS = st.lists(
    st.one_of(
        st.builds(lambda text: chunk(content=text), st.text(max_size=6)),
        st.builds(lambda text: chunk(refusal=text), st.text(max_size=3)),
        st.builds(lambda text: chunk(reasoning_content=text), st.text(max_size=6)),
        st.builds(
            lambda index, text: called(index, text, id=f"c{index}", type="function", name="look"),
            st.integers(0, 2), st.text(max_size=6),
        ),
        st.just(chunk(finish=None)),
        st.just({"choices": []}),
    ),
    max_size=12,
)  # fmt: skip


@given(deltas=DELTAS, finish=st.sampled_from(["stop", "length", "tool_calls", None]), summary=st.booleans())
def test_whatever_comes_every_event_is_one_of_openais_and_items_begin_and_end_once(
    deltas: list[dict[str, Any]], finish: str | None, *, summary: bool
) -> None:
    fields = {"reasoning": {"summary": "auto"}} if summary else {}
    events = told(*deltas, chunk(finish), **fields)
    begun: list[int] = []
    ended: list[int] = []
    parts: dict[tuple[int, int], str] = {}
    for event in events:
        if event["type"] in ("response.output_text.delta", "response.refusal.delta"):
            place = (event["output_index"], event["content_index"])
            parts[place] = parts.get(place, "") + event["delta"]
        OFFICIAL.validate_python(event)
        if event["type"] == "response.output_item.added":
            begun.append(event["output_index"])
        elif event["type"] == "response.output_item.done":
            ended.append(event["output_index"])
            assert event["item"] == events[-1]["response"]["output"][event["output_index"]]
        elif "output_index" in event:
            assert event["output_index"] in begun
            assert event["output_index"] not in ended
    for (item, part), text in parts.items():
        said = events[-1]["response"]["output"][item]["content"][part]
        assert said[said["type"].removeprefix("output_")] == text
    assert begun == sorted(ended) == list(range(len(events[-1]["response"]["output"])))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def flowed(reading: Any, stream: bytes, cuts: list[int]) -> bytes:
    flow, passed, start, turn = Flow(reading), b"", 0, 0
    while start < len(stream):
        size = cuts[turn % len(cuts)]
        passed += flow.feed(stream[start : start + size])
        start, turn = start + size, turn + 1
    return passed


def response_stream(*events: dict[str, Any], summary: bool = False) -> bytes:
    fields = {"reasoning": {"summary": "auto"}} if summary else {}
    writer = ResponsesWriter(Envelope(asked(**fields), "m", 1))
    return b"".join(writer.write(event) for event in events) + writer.end()


WHOLE = response_stream(
    chunk(role="assistant", content=""), chunk(reasoning_content="Hm."), chunk(content="Hé"), chunk(content="llo"),
    called(0, '{"a"', id="c0", type="function", name="look"), called(0, ":1}"), chunk("tool_calls"),
    {"choices": [], "usage": USED},
)  # fmt: skip


@given(cuts=st.lists(st.integers(1, 60), min_size=1, max_size=30), crlf=st.booleans())
def test_a_stream_is_passed_on_byte_for_byte_however_it_is_cut_and_its_last_event_waits(
    cuts: list[int], *, crlf: bool
) -> None:
    stream = WHOLE.replace(b"\n", b"\r\n") if crlf else WHOLE
    reading = Passing()
    passed = flowed(reading, stream, cuts)
    assert b"response.completed" not in passed
    assert (reading.done, reading.complete, reading.failed) == (True, True, False)
    assert reading.settle(1) == Usage(9, 4, 2)
    if not crlf:  # a carriage return at a cut may go with the next event
        assert passed + reading.end() == stream
    assert b"\n".join((passed + reading.end()).split()) == b"\n".join(stream.split())


@given(cuts=st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_a_stream_is_translated_the_same_however_it_is_cut(cuts: list[int]) -> None:
    ask = parse(CHAT, b'{"model":"r/m","messages":[{"role":"user","content":"x"}],"stream":true}')
    codec = Translated(ask, face("chat"), dialect("responses"))
    once, other = codec.reading(), codec.reading()
    expected = flowed(once, WHOLE, [len(WHOLE)]) + once.end()
    assert flowed(other, WHOLE, cuts) + other.end() == expected
    assert other.settle(1) == Usage(9, 4, 2)


@given(deltas=DELTAS, finish=st.sampled_from(["stop", "length"]), summary=st.booleans())
def test_a_stream_written_in_this_form_reads_as_what_it_was(
    deltas: list[dict[str, Any]], finish: str, *, summary: bool
) -> None:
    events = [*deltas, chunk(finish), {"choices": [], "usage": USED}]
    reader = ResponsesReader()
    back = [
        event
        for each in response_stream(*events, summary=summary).split(b"\n\n")[:-1]
        for event in reader.read(each.split(b"data: ", 1)[1])
    ]
    assert reader.done
    assert summed(back) == summed(events)


def summed(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Put a chat stream together."""
    made: dict[str, Any] = {"calls": {}, "words": {}}
    for event in events:
        for choice in event["choices"]:
            delta = choice["delta"]
            for name in ("content", "refusal", "reasoning_content"):
                if delta.get(name):
                    made["words"][name] = made["words"].get(name, "") + delta[name]
            for call in delta.get("tool_calls", ()):
                ident = call.get("id") or list(made["calls"])[call["index"]]
                made["calls"][ident] = made["calls"].get(ident, "") + call["function"]["arguments"]
            if choice.get("finish_reason") == "length":
                made["cut"] = True
        if event.get("usage"):
            made["used"] = event["usage"]["completion_tokens"]
    return made


@given(deltas=DELTAS)
def test_a_whole_answer_comes_back_from_this_form_as_it_was(deltas: list[dict[str, Any]]) -> None:
    told = summed(deltas)
    calls = [
        {"id": ident, "type": "function", "function": {"name": "look", "arguments": text}}
        for ident, text in told["calls"].items()
    ]
    message = {"role": "assistant", "content": None, "refusal": None, **told["words"]}
    message |= {"tool_calls": calls} if calls else {}
    finish = "tool_calls" if calls else "stop"
    neutral = {"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": USED}
    back = read(write(asked(), neutral))
    found = back["choices"][0]["message"]
    assert found | {"content": found["content"] or None} == message
    assert back["choices"][0]["finish_reason"] == finish
    assert back["usage"]["completion_tokens"] == 4


def test_thoughts_that_a_provider_encrypted_go_back_to_it() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "AAA"}
    call = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
    message = read({"status": "completed", "output": [item, call]})["choices"][0]["message"]
    ask = Ask(CHAT, "m", {"messages": [message]}, 1, stream=False, include_usage=False)
    assert json.loads(dialect("responses").request(ask, "m").body or b"")["input"] == [item, call]


def events_of(*values: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def chat_reading() -> Translation:
    ask = parse(CHAT, b'{"model":"r/m","messages":[{"role":"user","content":"x"}],"stream":true}')
    reading = Translated(ask, face("chat"), dialect("responses")).reading()
    assert isinstance(reading, Translation)
    return reading


def test_what_a_server_tells_only_when_it_is_whole_is_told_then() -> None:
    said = {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}
    call = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}
    for events in (
        [{"type": "response.output_item.done", "output_index": 0, "item": said},
         {"type": "response.output_item.added", "output_index": 1, "item": call | {"arguments": ""}},
         {"type": "response.output_item.done", "output_index": 1, "item": call},
         {"type": "response.completed", "response": {}}],
        [{"type": "response.completed", "response": {"status": "completed", "output": [said, call]}}],
    ):  # fmt: skip
        reader = ResponsesReader()
        back = [event for each in events for event in reader.read(json.dumps(each).encode())]
        assert summed(back) == {"calls": {"c1": "{}"}, "words": {"content": "Hello"}}
        assert back[-1]["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    "failure",
    [
        {"type": "response.failed", "response": {"status": "failed", "error": {"message": "it fell over"}}},
        {"type": "error", "message": "it fell over", "code": "server_error"},
        {"type": "error", "error": {"message": "it fell over"}},
        {"error": {"message": "it fell over"}},
    ],
)
def test_a_failure_in_a_stream_is_told_to_callers_of_either_form(failure: dict[str, Any]) -> None:
    reading = chat_reading()
    assert b"it fell over" in Flow(reading).feed(events_of(failure))
    assert (reading.done, reading.failed, reading.complete, reading.end()) == (True, True, False, b"")
    if "type" in failure:
        passing = Passing()
        assert Flow(passing).feed(events_of(failure)) == b""
        assert (passing.done, passing.failed, passing.complete) == (True, True, False)
        assert passing.end() == events_of(failure)


@pytest.mark.parametrize(
    "event",
    [{"sequence_number": 1}, {"type": 7}, {"type": "response.completed"}, {"type": "response.output_text.delta"},
     {"type": "response.function_call_arguments.delta", "output_index": 3, "delta": "{"},
     {"type": "response.output_item.added", "item": []}],
)  # fmt: skip
def test_an_event_that_is_none_of_this_form_is_garbage(event: dict[str, Any]) -> None:
    with pytest.raises(Garbage):
        ResponsesReader().read(json.dumps(event).encode())


@pytest.mark.parametrize("data", [b"<html>", b"{", b"[1]", b'{"type":"response.completed"'])
def test_what_is_no_json_object_is_not_passed_on(data: bytes) -> None:
    with pytest.raises(Garbage):
        Flow(Passing()).feed(b"data: " + data + b"\n\n")


def test_events_that_nobody_knows_are_passed_on_and_not_translated() -> None:
    events = events_of({"type": "response.web_search_call.searching", "x": '"type":"response.completed"'})
    passing = Passing()
    assert Flow(passing).feed(events) == events
    assert not passing.done
    assert Flow(chat_reading()).feed(events) == b""


def test_comments_are_passed_on_after_the_first_event_only() -> None:
    event = events_of({"type": "response.output_text.delta", "delta": "a"})
    flow = Flow(Passing())
    assert flow.feed(b": ping\n\n" + event + b": ping\n\n") == event + b": ping\n\n"


def test_what_was_cut_off_is_estimated_from_its_deltas_alone() -> None:
    padded = {"type": "response.output_text.delta", "delta": "Hello", "obfuscation": "x" * 4000}
    passing = Passing()
    Flow(passing).feed(events_of(*[padded] * 8))
    assert passing.settle(40) == Usage(10, 10, estimated=True)
    assert not passing.complete


@pytest.mark.parametrize(
    "response",
    [{"status": "failed", "error": {"message": "it fell over"}, "output": []}, {"status": "queued", "output": []},
     {"output": None}, {"choices": []}],
)  # fmt: skip
def test_a_whole_answer_that_failed_or_is_none_is_refused(response: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as caught:
        read(response)
    assert (caught.value.status, caught.value.code) == (502, "provider_error")


@pytest.mark.parametrize("neutral", [{}, {"choices": []}, {"choices": [{}]}, {"choices": ["x"]}])
def test_a_completion_without_an_answer_is_refused(neutral: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="without an answer"):
        write(asked(), neutral)
