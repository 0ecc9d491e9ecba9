"""Answers that are no stream, between the Messages API and chat; and its errors."""

import json
from typing import Any

import pytest

from router.ask import CHAT, Ask, parse
from router.dialects.codec import pick
from router.dialects.forms import face
from router.refusal import Refusal
from router.usage import Usage
from tests.fakes.anthropic import form
from tests.fakes.anthropic.check import sign
from tests.fakes.provider import Reply, ToolCall
from tests.fakes.provider.reply import completion

HI = {"role": "user", "content": "hi"}


def asked() -> Ask:
    return face("messages").parse("", json.dumps({"model": "a/b", "max_tokens": 9, "messages": [HI]}).encode())


def message(answer: Any) -> tuple[dict[str, Any], Usage | None]:
    """Give what a caller of messages gets of a chat provider's answer."""
    text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    body, usage = pick(asked(), "chat").whole(text)
    return json.loads(body), usage


def chat(answer: Any) -> tuple[dict[str, Any], Usage | None]:
    """Give what a caller of chat gets of a messages provider's answer."""
    text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    ask = parse(CHAT, json.dumps({"model": "a/b", "messages": [HI]}).encode())
    body, usage = pick(ask, "messages").whole(text)
    return json.loads(body), usage


def choice(said: Any, finish: str = "stop", **fields: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "model": "m", "choices": [{"message": said, "finish_reason": finish, **fields}]}


def test_a_completion_is_a_message() -> None:
    found, usage = message(completion(Reply("Warm.", reasoning="Hm."), "small"))
    assert usage == Usage(11, 3, 3, 2)
    assert found == {
        "id": "msg_fake", "type": "message", "role": "assistant", "model": "small", "stop_reason": "end_turn",
        "stop_sequence": None, "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": ""}, {"type": "text", "text": "Warm."}],
        "usage": {"input_tokens": 8, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 0,
                  "output_tokens": 3, "output_tokens_details": {"thinking_tokens": 2}},
    }  # fmt: skip


def test_calls_have_their_input_parsed() -> None:
    calls = (ToolCall("look", {"at": "ü"}, "t1"), ToolCall("rest", {}, "t2"))
    found, _ = message(completion(Reply(tool_calls=calls), "small"))
    assert [(block["id"], block["name"], block["input"]) for block in found["content"]] == [
        ("t1", "look", {"at": "ü"}),
        ("t2", "rest", {}),
    ]
    assert found["stop_reason"] == "tool_use"


@pytest.mark.parametrize(
    ("finish", "fields", "reason"),
    [
        ("stop", {}, "end_turn"), ("length", {}, "max_tokens"), ("content_filter", {}, "refusal"),
        ("stop", {"stop_reason": "X"}, "stop_sequence"), ("stop", {"native_finish_reason": "pause_turn"}, "pause_turn"),
        ("stop", {"native_finish_reason": "STOP"}, "end_turn"), ("odd", {}, "end_turn"),
        ("length", {"native_finish_reason": "model_context_window_exceeded"}, "model_context_window_exceeded"),
    ],
)  # fmt: skip
def test_why_it_stopped(finish: str, fields: Any, reason: str) -> None:
    found, _ = message(choice({"content": "x"}, finish, **fields))
    assert found["stop_reason"] == reason
    assert found["stop_sequence"] == ("X" if reason == "stop_sequence" else None)


def test_a_refusal_is_said_and_is_why_it_stopped() -> None:
    found, _ = message(choice({"content": None, "refusal": "No."}))
    assert (found["content"], found["stop_reason"]) == ([{"type": "text", "text": "No."}], "refusal")
    assert found["stop_details"]["explanation"] == "No."


def test_an_answer_without_usage_counts_nothing_and_is_estimated_by_the_ledger() -> None:
    found, usage = message(choice({"content": "x"}))
    assert usage is None
    assert found["usage"]["output_tokens"] == 0


def call(arguments: str) -> Any:
    return {"tool_calls": [{"id": "t", "function": {"name": "look", "arguments": arguments}}]}


def test_a_call_is_why_it_stopped_whatever_a_server_says() -> None:
    assert message(choice(call("{}"), "stop"))[0]["stop_reason"] == "tool_use"


def test_arguments_that_are_no_object_are_the_providers_fault() -> None:
    for arguments in ("{", "[]", "1"):
        with pytest.raises(Refusal) as caught:
            message(choice(call(arguments)))
        assert caught.value.status == 502
    assert message(choice(call('{"a": '), "length"))[0]["content"][0]["input"] == {}  # cut off with the answer


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [{}]}, {"choices": [{"message": "x"}]}])
def test_what_is_no_completion_is_the_providers_fault(answer: Any) -> None:
    with pytest.raises(Refusal) as caught:
        message(answer)
    assert caught.value.status == 502


def test_a_message_is_a_completion() -> None:
    calls = (ToolCall("look", {"at": "ü"}, "t1"),)
    found, usage = chat(form.whole(Reply("Warm.", reasoning="Hm."), {"model": "claude"}))
    said = found["choices"][0]["message"]
    assert usage == Usage(11, 3, 3, 2, cache_write_tokens=2, cache_write_1h_tokens=1)
    assert (said["content"], said["reasoning_content"]) == ("Warm.", "Hm.")
    assert said["reasoning_details"][0]["signature"] == sign("Hm.")
    assert found["choices"][0]["finish_reason"] == "stop"
    assert found["usage"]["prompt_tokens_details"] == {
        "cached_tokens": 3, "cache_write_tokens": 2, "cache_write_1h_tokens": 1}  # fmt: skip
    found, _ = chat(form.whole(Reply(tool_calls=calls), {"model": "claude"}))
    assert found["choices"][0]["finish_reason"] == "tool_calls"
    assert found["choices"][0]["message"] == {"role": "assistant", "content": None, "refusal": None, "tool_calls": [
        {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"at":"ü"}'}}]}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"), ("stop_sequence", "stop"), ("pause_turn", "stop"), ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"), ("refusal", "content_filter"), ("new", "stop"),
    ],
)  # fmt: skip
def test_why_a_message_stopped(reason: str, finish: str) -> None:
    found, _ = chat({"type": "message", "content": [], "stop_reason": reason})
    assert found["choices"][0]["finish_reason"] == finish
    assert found["choices"][0]["native_finish_reason"] == reason


def test_what_others_need_back_is_the_signature_of_a_whole_answers_thoughts() -> None:
    theirs = {"type": "reasoning.encrypted", "data": "d", "format": "openai-responses-v1"}
    found, _ = message(choice({"content": "x", "reasoning_content": "Hm.", "reasoning_details": [theirs]}))
    thought = found["content"][0]
    assert (thought["type"], thought["thinking"]) == ("thinking", "Hm.")
    again = face("messages").parse(
        "", json.dumps({"model": "a/b", "max_tokens": 9, "messages": [HI, {"role": "assistant", **found}]}).encode()
    )
    assert again.body["messages"][1]["reasoning_details"] == [theirs]


def test_more_thoughts_than_output_are_not_believed() -> None:
    said = {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 5}}
    usage = pick(asked(), "messages").whole(json.dumps({"usage": said}).encode())[1]
    assert usage == Usage(1, 2, 0, 2)


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "No."}
    found, _ = chat({"type": "message", "content": [], "stop_reason": "refusal", "stop_details": details})
    assert found["choices"][0]["message"]["refusal"] == "No."


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"type": "error", "error": {"type": "overloaded_error", "message": "x"}},
        {"type": "message", "content": "x"},
        {"type": "message", "content": [{"type": "tool_use", "id": "t", "name": "x", "input": "no"}]},
    ],
)
def test_what_is_no_message_is_the_providers_fault(answer: Any) -> None:
    with pytest.raises(Refusal) as caught:
        chat(answer)
    assert caught.value.status == 502


def test_between_two_of_one_form_an_answer_passes_as_it_is() -> None:
    sent = form.whole(Reply("Warm."), {"model": "claude"})
    assert pick(asked(), "messages").whole(sent) == (sent, Usage(11, 3, 3, 2, cache_write_tokens=2,
                                                                 cache_write_1h_tokens=1))  # fmt: skip
    assert pick(asked(), "messages").whole(form.whole(Reply(usage="missing"), {"model": "claude"}))[1] is None


@pytest.mark.parametrize("usage", [None, "x", {}, {"input_tokens": -1, "output_tokens": 1}, {"input_tokens": True},
                                   {"input_tokens": 1}, {"output_tokens": 1}, {"input_tokens": 1 << 41,
                                                                               "output_tokens": 1}])  # fmt: skip
def test_a_usage_that_is_nonsense_is_none(usage: Any) -> None:
    assert pick(asked(), "messages").whole(json.dumps({"usage": usage}).encode())[1] is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"), (401, "authentication_error"), (402, "billing_error"),
        (403, "permission_error"), (404, "not_found_error"), (405, "invalid_request_error"), (413, "request_too_large"),
        (429, "rate_limit_error"), (500, "api_error"), (502, "api_error"), (503, "overloaded_error"),
        (504, "timeout_error"), (529, "overloaded_error"),
    ],
)  # fmt: skip
def test_errors_have_this_forms_words(status: int, kind: str) -> None:
    refusal = Refusal(status, "some_code", "why")
    told = {"type": kind, "message": "why", "details": {"error_code": "some_code"}}
    assert json.loads(face("messages").refusal(refusal)) == {"type": "error", "error": told, "request_id": None}
    refusal.usage = b'{"call":"calls/1"}'
    event = face("messages").broken(refusal).decode()
    assert event.startswith('event: error\ndata: {"type":"error"')
    assert '"request_id":"calls/1"' in event
