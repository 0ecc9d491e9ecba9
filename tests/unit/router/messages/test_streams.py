"""Streams of the Messages API: read into neutral events, written from them, and passed as they are."""

import itertools
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ask import Ask
from router.dialects.codec import Same, Translated, pick
from router.dialects.contract import Reading
from router.dialects.events import Garbage, payload
from router.dialects.flow import Flow
from router.dialects.forms import dialect, face
from router.refusal import provider_error, provider_timeout
from router.usage import Usage
from tests.fakes.anthropic import form
from tests.fakes.anthropic.check import sign
from tests.fakes.provider import Fault, Reply, ToolCall
from tests.fakes.provider.reply import events as chat_events

TEXT = Reply("It is warm.", reasoning="Let me see.")
CALLS = Reply(tool_calls=(ToolCall("look", {"at": "ü"}, "t1"), ToolCall("rest", {}, "t2")), reasoning="Two.")
USAGE = Usage(11, 5, 3, 2, cache_write_tokens=2, cache_write_1h_tokens=1)


def asked(name: str) -> Ask:
    body = {"model": "a/b", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    return face(name).parse("/chat/completions", json.dumps(body).encode())


def native(reply: Reply) -> list[bytes]:
    return list(form.events(reply, {"model": "claude"}))


def chat(reply: Reply) -> list[bytes]:
    return list(chat_events(reply, "small", with_usage=True))


def events(text: bytes) -> list[dict[str, Any]]:
    """Give a stream's events, after looking whether the names before them are theirs."""
    found = []
    for event in text.split(b"\n\n")[:-1]:
        name, _, data = event.decode().partition("\ndata: ")
        found.append(json.loads(data))
        assert name == f"event: {found[-1]['type']}"
    return found


def run(reading: Reading, pieces: Iterable[bytes]) -> bytes:
    flow = Flow(reading)
    return b"".join(flow.feed(piece) for piece in pieces)


def translated(reply: Reply) -> list[dict[str, Any]]:
    """Give what a caller of messages gets of a chat provider's stream."""
    codec = pick(asked("messages"), "chat")
    assert isinstance(codec, Translated)
    reading = codec.reading()
    begun = run(reading, chat(reply))
    assert reading.complete
    return events(begun + reading.end())


def deltas(name: str, reply: Reply) -> list[dict[str, Any]]:
    """Give the deltas that a caller of chat gets of a messages provider's stream."""
    reader = dialect("messages").reader(asked(name))
    read = [each for event in native(reply) for each in reader.read(payload(event) or b"")]
    assert reader.done
    return [choice for each in read for choice in each["choices"]]


def merged(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Put a messages stream together as the official client does, and check the order of its events."""
    assert found[0]["type"] == "message_start"
    assert [each["type"] for each in found[-2:]] == ["message_delta", "message_stop"]
    message: dict[str, Any] = found[0]["message"]
    current = -1
    for each in found[1:-2]:
        if each["type"] == "content_block_start":
            assert current == -1
            current = each["index"]
            assert current == len(message["content"])
            message["content"].append(each["content_block"] | {"json": ""})
            continue
        assert each["index"] == current
        block = message["content"][current]
        if each["type"] == "content_block_stop":
            current = -1
        else:
            delta = dict(each["delta"])
            kind = delta.pop("type")
            field, text = delta.popitem()
            block["json" if kind == "input_json_delta" else field] += text
    assert current == -1
    for block in message["content"]:
        text = block.pop("json")
        if block["type"] == "tool_use" and text:
            block["input"] = json.loads(text)
    whole: dict[str, Any] = found[-2]["delta"]
    return message | whole | {"usage": message["usage"] | found[-2]["usage"]}


def test_a_text_is_a_block_with_its_thoughts_before_it() -> None:
    message = merged(translated(TEXT))
    assert message["content"] == [
        {"type": "thinking", "thinking": "Let me see.", "signature": ""},
        {"type": "text", "text": "It is warm."},
    ]
    assert (message["stop_reason"], message["model"], message["id"]) == ("end_turn", "small", "msg_fake")
    assert message["usage"]["input_tokens"] == 8
    assert message["usage"]["cache_read_input_tokens"] == 3
    assert message["usage"]["output_tokens"] == 5


def test_calls_of_tools_are_blocks_one_after_the_other() -> None:
    message = merged(translated(CALLS))
    assert message["content"][1:] == [
        {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "ü"}},
        {"type": "tool_use", "id": "t2", "name": "rest", "input": {}},
    ]
    assert message["stop_reason"] == "tool_use"


def chunk(delta: Any, finish: str | None = None) -> bytes:
    value = {"id": "x", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def piece(index: int | None, arguments: str, name: str = "") -> bytes:
    call: dict[str, Any] = {"function": {"arguments": arguments} | ({"name": name} if name else {})}
    call |= {"id": f"c_{name}"} if name else {}
    return chunk({"tool_calls": [call | ({} if index is None else {"index": index})]})


def written(*pieces: bytes) -> dict[str, Any]:
    reading = pick(asked("messages"), "chat").reading()
    return merged(events(run(reading, [*pieces, chunk({}, "tool_calls")]) + reading.end()))


def test_calls_whose_pieces_come_mixed_are_put_in_order() -> None:
    message = written(piece(0, "", "a"), piece(1, "", "b"), piece(1, '{"y":'), piece(0, '{"x":'), piece(1, "2}"),
                      piece(0, "1}"), chunk({"content": "so"}))  # fmt: skip
    assert [block.get("input", block.get("text")) for block in message["content"]] == [{"x": 1}, {"y": 2}, "so"]


def test_calls_that_nobody_numbers_are_told_apart_by_their_names() -> None:
    message = written(piece(None, '{"x":', "a"), piece(None, "1}"), piece(None, "{}", "b"))
    assert [(block["name"], block["input"]) for block in message["content"]] == [("a", {"x": 1}), ("b", {})]


def test_a_call_without_a_name_is_garbage() -> None:
    with pytest.raises(Garbage):
        run(pick(asked("messages"), "chat").reading(), [piece(0, "{}")])


def test_what_nobody_finished_saying_is_an_error_and_no_end() -> None:
    reading = pick(asked("messages"), "chat").reading()
    run(reading, chat(Reply(fault=Fault.NO_DONE)))
    assert not reading.complete
    (error,) = events(reading.broken(provider_timeout("too late")))
    assert (error["type"], error["error"]["type"]) == ("error", "timeout_error")


def test_an_error_in_the_stream_is_one_of_this_form() -> None:
    reading = pick(asked("messages"), "chat").reading()
    found = events(run(reading, chat(Reply(fault=Fault.ERROR_EVENT))))
    assert found[-1]["error"]["type"] == "api_error"
    assert (reading.failed, reading.complete, reading.end()) == (True, False, b"")


def test_a_refusal_is_said_and_is_why_it_stopped() -> None:
    reading = pick(asked("messages"), "chat").reading()
    message = merged(events(run(reading, [chunk({"refusal": "I can"}), chunk({"refusal": "not."}), chunk({}, "stop")])
                            + reading.end()))  # fmt: skip
    assert message["content"] == [{"type": "text", "text": "I cannot."}]
    assert message["stop_reason"] == "refusal"
    assert message["stop_details"]["explanation"] == "I cannot."


def test_what_others_need_back_is_a_signature_and_found_again() -> None:
    detail = {"type": "reasoning.encrypted", "data": "d", "format": "openai-responses-v1"}
    reading = pick(asked("messages"), "responses").reading()
    writer = face("messages").writer(asked("messages"))
    found = events(
        writer.write({"choices": [{"delta": {"content": "x", "reasoning_details": [detail]}}]}) + writer.end()
    )
    content = merged(found)["content"]
    assert not reading.complete
    body = {"model": "a/b", "max_tokens": 9, "messages": [{"role": "assistant", "content": content}]}
    again = face("messages").parse("", json.dumps(body).encode()).body["messages"][0]
    assert again["reasoning_details"] == [detail]


def test_a_stream_of_messages_is_read_into_chats_deltas() -> None:
    found = deltas("chat", TEXT)
    assert "".join(each["delta"].get("content", "") for each in found) == TEXT.text
    assert "".join(each["delta"].get("reasoning_content", "") for each in found) == TEXT.reasoning
    (detail,) = [each for choice in found for each in choice["delta"].get("reasoning_details", ())]
    assert (detail["text"], detail["signature"]) == (TEXT.reasoning, sign(TEXT.reasoning))
    assert found[-1]["finish_reason"] == "stop"


def test_calls_in_a_stream_of_messages_are_numbered_and_have_arguments() -> None:
    calls: dict[int, dict[str, Any]] = {}
    for choice in (found := deltas("chat", CALLS)):
        for call in choice["delta"].get("tool_calls", ()):
            kept = calls.setdefault(call["index"], {"arguments": "", **{key: call.get(key) for key in ("id", "type")}})
            kept["arguments"] += call["function"]["arguments"]
    assert calls == {
        0: {"id": "t1", "type": "function", "arguments": '{"at": "\\u00fc"}'},
        1: {"id": "t2", "type": "function", "arguments": "{}"},
    }
    assert found[-1]["finish_reason"] == "tool_calls"


def test_a_call_that_has_its_input_at_once_is_read_as_well() -> None:
    reader = dialect("messages").reader(asked("chat"))
    block = {"type": "tool_use", "id": "t", "name": "look", "input": {"at": 1}}
    sent: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "m"}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_stop", "index": 0},
    ]
    found = [each for event in sent for each in reader.read(json.dumps(event).encode())]
    assert found[-1]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] == '{"at":1}'


def test_the_usage_of_a_translated_stream_is_whole() -> None:
    reading = pick(asked("chat"), "messages").reading()
    run(reading, native(TEXT))
    used = reading.settle(100)
    assert (used.input_tokens, used.output_tokens, used.cached_tokens, used.estimated) == (11, 5, 3, False)
    assert (used.cache_write_tokens, used.cache_write_1h_tokens) == (2, 1)


@pytest.mark.parametrize("reply", [TEXT, CALLS, Reply("é " * 50, usage="spaced"), Reply(usage="twice")])
def test_a_stream_between_two_of_one_form_passes_byte_for_byte(reply: Reply) -> None:
    codec = pick(asked("messages"), "messages")
    assert isinstance(codec, Same)
    reading = codec.reading()
    sent = native(reply)
    passed = run(reading, sent)
    assert passed == b"".join(sent[:-1])  # the last one waits for the ledger
    assert passed + reading.end() == b"".join(sent)
    assert reading.done
    assert reading.complete
    assert reading.settle(1) == Usage(**{**vars(USAGE), "output_tokens": form.usage(reply)["output_tokens"]})


def test_a_passing_stream_that_said_why_it_stopped_is_whole_without_its_last_event() -> None:
    reading = pick(asked("messages"), "messages").reading()
    run(reading, native(TEXT)[:-1])
    assert (reading.complete, reading.done) == (True, False)
    assert events(reading.end()) == [{"type": "message_stop"}]


def test_a_comment_before_the_first_event_does_not_begin_the_answer() -> None:
    reading = pick(asked("messages"), "messages").reading()
    start, *_ = native(TEXT)
    assert run(reading, [b": wait\n\n", start, b": wait\n\n"]) == start + b": wait\n\n"


def test_a_translated_stream_that_does_not_say_what_it_used_is_estimated() -> None:
    reading = pick(asked("chat"), "messages").reading()
    start, *rest = native(Reply("word " * 40, usage="missing"))
    begun = start.replace(b'"content":[]', b'"content":[],"usage":{"input_tokens":11,"output_tokens":1}')
    run(reading, [begun, *rest])
    assert reading.complete
    assert reading.settle(400).estimated
    assert reading.settle(400).output_tokens >= 40


def test_what_a_tool_is_called_with_counts_where_a_translated_stream_does_not_say_what_it_used() -> None:
    reading = pick(asked("messages"), "chat").reading()
    call = {"index": 0, "id": "c", "function": {"name": "look", "arguments": json.dumps({"at": "x" * 4000})}}
    event = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
    run(reading, [b"data: " + json.dumps(event).encode() + b"\n\n"])
    assert reading.settle(400).output_tokens >= 1000


def test_a_passing_stream_that_does_not_say_what_it_used_is_estimated() -> None:
    for reply in (Reply("word " * 40, usage="missing"), Reply("word " * 40, usage="null")):
        reading = pick(asked("messages"), "messages").reading()
        run(reading, native(reply))
        assert reading.complete
        used = reading.settle(400)
        assert used.estimated
        assert 40 <= used.output_tokens < 80


def test_a_passing_stream_that_is_cut_off_knows_its_input_and_guesses_the_rest() -> None:
    reading = pick(asked("messages"), "messages").reading()
    run(reading, native(Reply("word " * 40))[:20])
    used = reading.settle(400)
    assert not reading.complete
    assert (used.input_tokens, used.cached_tokens, used.cache_write_tokens, used.estimated) == (11, 3, 2, True)
    assert 10 <= used.output_tokens < 40


def test_a_passing_stream_with_an_error_ends_with_it() -> None:
    reading = pick(asked("messages"), "messages").reading()
    passed = run(reading, native(Reply(fault=Fault.ERROR_EVENT)))
    assert events(passed)[-1]["error"]["type"] == "overloaded_error"
    assert (reading.failed, reading.complete, reading.end()) == (True, False, b"")


@pytest.mark.parametrize("name", ["chat", "messages"])
def test_garbage_is_told_from_events(name: str) -> None:
    reading = pick(asked(name), "messages").reading()
    sent = native(Reply(fault=Fault.GARBAGE_EVENT))
    bad = next(index for index, event in enumerate(sent) if b"<html>" in event)
    run(reading, sent[:bad])
    with pytest.raises(Garbage):
        run(reading, [sent[bad]])


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "x"}},
        {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_stop", "index": 3},
    ],
)
def test_events_out_of_order_are_garbage(event: Any) -> None:
    with pytest.raises(Garbage):
        dialect("messages").reader(asked("chat")).read(json.dumps(event).encode())


def test_what_nobody_knows_in_a_stream_is_nothing() -> None:
    reader = dialect("messages").reader(asked("chat"))
    for event in ({"type": "ping"}, {"type": "new"}, {"type": "message_stop"}):
        assert reader.read(json.dumps(event).encode()) == []


def test_an_error_of_the_streams_is_passed_on() -> None:
    reading = pick(asked("chat"), "messages").reading()
    found = run(reading, native(Reply(fault=Fault.ERROR_EVENT)))
    assert b"Overloaded" in found
    assert reading.failed
    assert provider_error("x").status == 502


REPLIES = st.builds(
    Reply,
    text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=30),
    reasoning=st.text(st.characters(codec="utf-8"), max_size=10),
    tool_calls=st.one_of(st.just(()), st.just(CALLS.tool_calls)),
    usage=st.sampled_from(["once", "twice", "missing", "spaced"]),
    newline=st.sampled_from(["\n", "\r\n"]),
)


@given(reply=REPLIES, cuts=st.lists(st.integers(0, 2000), max_size=12), name=st.sampled_from(["chat", "messages"]))
def test_however_a_stream_is_cut_its_events_are_the_same(reply: Reply, cuts: list[int], name: str) -> None:
    data = b"".join(native(reply))
    whole, cut = pick(asked(name), "messages").reading(), pick(asked(name), "messages").reading()
    edges = sorted({0, len(data), *(at for at in cuts if at < len(data))})
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    once = run(whole, [data]) + whole.end()
    assert timeless(run(cut, pieces) + cut.end()) == timeless(once)
    assert whole.settle(9) == cut.settle(9)
    if name == "messages":
        assert once == data


def timeless(text: bytes) -> bytes:
    """Leave out when it was made."""
    head, *rest = text.split(b'"created":')
    return head + b"".join(part.lstrip(b"0123456789") for part in rest)


@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), thought=st.text(max_size=8).map(repr),
       calls=st.lists(st.dictionaries(st.text("ab", min_size=1), st.integers()), max_size=3))  # fmt: skip
def test_a_stream_there_and_back_says_the_same(text: str, thought: str, calls: list[dict[str, int]]) -> None:
    made = tuple(ToolCall("look", arguments, f"t{index}") for index, arguments in enumerate(calls))
    reply = Reply(text, reasoning=thought, tool_calls=made)
    reader, writer = dialect("messages").reader(asked("chat")), face("messages").writer(asked("messages"))
    neutral = [each for event in native(reply) for each in reader.read(payload(event) or b"")]
    again = merged(events(b"".join(writer.write(event) for event in neutral) + writer.end()))
    whole = json.loads(form.whole(reply, {"model": "claude"}))
    assert again["content"] == whole["content"]
    assert again["stop_reason"] == whole["stop_reason"]
    assert again["usage"]["input_tokens"] == whole["usage"]["input_tokens"]
