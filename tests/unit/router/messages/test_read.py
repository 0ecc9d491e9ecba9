"""A request of the Messages API is read into chat's words; what chat cannot say is kept for providers that can."""

import json
from typing import Any

import pytest

from router.ask import CHAT, Ask
from router.dialects.codec import pick
from router.dialects.forms import face
from router.dialects.messages.asked import parse
from router.refusal import Refusal

TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}}
FUNCTION = {"type": "function", "function": {"name": "look", "description": "Looks.",
            "parameters": TOOL["input_schema"]}}  # fmt: skip
MARK = {"cache_control": {"type": "ephemeral"}}


def asked(**fields: Any) -> Ask:
    body = {"model": "fake/small", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}], **fields}
    return face("messages").parse("", json.dumps(body).encode())


def said(*turns: Any) -> Any:
    return asked(messages=list(turns)).body["messages"]


def user(*blocks: Any) -> Any:
    return said({"role": "user", "content": list(blocks)})


def put(**fields: Any) -> Any:
    """Give what a chat provider is sent."""
    return json.loads(pick(asked(**fields), "chat").request("small").body or b"")


def test_a_text_is_what_the_user_says_and_the_system_comes_first() -> None:
    assert asked(system="Be brief.").body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]


def test_a_system_of_blocks_keeps_where_the_cache_ends() -> None:
    blocks = [{"type": "text", "text": "A"}, {"type": "text", "text": "B", **MARK}]
    assert asked(system=blocks).body["messages"][0] == {"role": "system", "content": blocks}


def test_pictures_are_addresses() -> None:
    packed = {"type": "base64", "media_type": "image/png", "data": "AA=="}
    found = user({"type": "text", "text": "look"}, {"type": "image", "source": packed, **MARK},
                 {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}})  # fmt: skip
    assert found[0]["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}, **MARK},
        {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
    ]


def test_documents_are_files_or_their_text() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "AA=="}
    plain = {"type": "text", "media_type": "text/plain", "data": "Once."}
    inner = {"type": "content", "content": [{"type": "text", "text": "Twice."}]}
    found = user({"type": "document", "source": pdf, "title": "a.pdf"}, {"type": "document", "source": plain},
                 {"type": "document", "source": inner, "title": "B"},
                 {"type": "search_result", "title": "C", "source": "https://c", "content": [
                     {"type": "text", "text": "Thrice."}]})  # fmt: skip
    assert found[0]["content"] == [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
        {"type": "text", "text": "Once."},
        {"type": "text", "text": "B"},
        {"type": "text", "text": "Twice."},
        {"type": "text", "text": "C\nhttps://c\nThrice."},
    ]


def test_a_document_may_be_longer_than_it_looks() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "AA=="}
    turn = {"role": "user", "content": [{"type": "document", "source": pdf}]}
    assert asked(messages=[turn]).unbounded
    assert not asked().unbounded


def test_calls_of_tools_and_what_they_gave() -> None:
    found = said(
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [
            {"type": "text", "text": "I "}, {"type": "text", "text": "look."},
            {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "ü"}},
            {"type": "tool_use", "id": "t2", "name": "look", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a"},
                                                                      {"type": "text", "text": "b"}]},
            {"type": "tool_result", "tool_use_id": "t2", "content": "gone", "is_error": True},
            {"type": "text", "text": "and?"}]},
    )  # fmt: skip
    assert found[1:] == [
        {"role": "assistant", "content": "I look.", "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"at":"ü"}'}},
            {"id": "t2", "type": "function", "function": {"name": "look", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "t1", "content": "a\nb"},
        {"role": "tool", "tool_call_id": "t2", "content": "Error: gone"},
        {"role": "user", "content": "and?"},
    ]  # fmt: skip


def test_a_picture_that_a_tool_gave_is_shown_by_the_user() -> None:
    source = {"type": "url", "url": "https://a/b.png"}
    given = [{"type": "text", "text": "see"}, {"type": "image", "source": source}]
    found = user({"type": "tool_result", "tool_use_id": "t1", "content": given})
    assert [message["role"] for message in found] == ["tool", "user"]
    assert found[0]["content"] == "see"
    assert found[1]["content"][1] == {"type": "image_url", "image_url": {"url": "https://a/b.png"}}


def test_a_tool_that_gave_nothing_gave_an_empty_text() -> None:
    assert user({"type": "tool_result", "tool_use_id": "t1"}) == [{"role": "tool", "tool_call_id": "t1", "content": ""}]


def test_thoughts_are_text_and_what_has_to_be_given_back() -> None:
    found = said(
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"},
                                          {"type": "redacted_thinking", "data": "d"}, {"type": "text", "text": "x"}]},
    )[1]  # fmt: skip
    assert found["reasoning_content"] == "hm"
    assert [each["type"] for each in found["reasoning_details"]] == ["reasoning.text", "reasoning.encrypted"]
    assert found["content"] == "x"


def test_tools_and_the_choice_among_them() -> None:
    assert asked(tools=[TOOL]).body["tools"] == [FUNCTION]
    for choice, word in (("auto", "auto"), ("any", "required"), ("none", "none")):
        assert asked(tools=[TOOL], tool_choice={"type": choice}).body["tool_choice"] == word
    one = asked(tools=[{**TOOL, "type": "custom", "strict": True, **MARK}],
                tool_choice={"type": "tool", "name": "look", "disable_parallel_tool_use": True}).body  # fmt: skip
    assert one["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert one["parallel_tool_calls"] is False
    assert one["tools"][0]["function"]["strict"] is True
    assert one["tools"][0]["cache_control"] == MARK["cache_control"]


def test_settings_become_chats_and_unknown_ones_are_passed_on() -> None:
    body = asked(temperature=0.5, top_p=0.9, top_k=3, stop_sequences=["X"], metadata={"user_id": "u"}, new=1,
                 service_tier="auto", context_management={"edits": []}, stream=True).body  # fmt: skip
    assert body.pop("messages")
    assert body == {
        "model": "fake/small", "max_tokens": 100, "temperature": 0.5, "top_p": 0.9, "top_k": 3, "stop": ["X"],
        "user": "u", "new": 1, "stream": True,
    }  # fmt: skip


def test_a_users_long_name_is_shortened_to_what_openai_takes() -> None:
    assert len(asked(metadata={"user_id": "u" * 65}).body["user"]) == 64


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 8000}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4000}, "max_tokens": 8000}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 7000}, "max_tokens": 8000}, "high"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, "low"),
        ({"output_config": {"effort": "max"}}, "xhigh"),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "disabled"}}, None),
    ],
)
def test_how_hard_to_think(fields: Any, effort: str | None) -> None:
    assert asked(**fields).body.get("reasoning_effort") == effort


def test_a_schema_is_a_response_format() -> None:
    schema = {"type": "object"}
    for fields in ({"output_config": {"format": {"type": "json_schema", "schema": schema}}},
                   {"output_format": {"type": "json_schema", "schema": schema}}):  # fmt: skip
        assert asked(**fields).body["response_format"]["json_schema"]["schema"] == schema


@pytest.mark.parametrize(
    "fields",
    [
        {"container": "c"},
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        {"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}]},
        {"messages": [{"role": "user", "content": [
            {"type": "document", "source": {"type": "file", "file_id": "f"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}]},
    ],
)  # fmt: skip
def test_what_only_this_form_can_say_goes_to_its_own_providers_only(fields: Any) -> None:
    ask = asked(**fields)
    assert json.loads(pick(ask, "messages").request("claude").body or b"") == {**(ask.native or {}), "model": "claude"}
    with pytest.raises(Refusal, match="Messages API") as caught:
        pick(ask, "chat")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"model": ""}, "model"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 0}, "stream"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages.0"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "messages.0.content.0.source"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, "messages.0.content.0.tool_use_id"),
        ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n"}]}]},
         "messages.0.content.0.input"),
        ({"tools": [{"name": "look"}]}, "tools.0.input_schema"),
        ({"tools": [{"input_schema": {}}]}, "tools.0.name"),
        ({"tools": [TOOL], "tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"stop_sequences": "X"}, "stop_sequences"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format"),
        ({"system": 5}, "system"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused_and_says_where(fields: Any, path: str) -> None:
    with pytest.raises(Refusal) as caught:
        asked(**fields)
    assert (caught.value.status, caught.value.param) == (400, path)


@pytest.mark.parametrize("kind", ["web_search_20250305", "web_fetch_20250910", "code_execution_20250825", "mcp_toolset",
                                  "advisor_20260301", "whatever_is_new"])  # fmt: skip
def test_tools_that_the_provider_runs_are_refused(kind: str) -> None:
    chat = json.dumps({"model": "a/b", "messages": [{"role": "user", "content": "hi"}], "tools": [{"type": kind}]})
    with pytest.raises(Refusal, match="no policy") as caught:
        asked(tools=[{"type": kind, "name": "x"}])
    assert (caught.value.status, caught.value.code) == (400, "unsupported_tool")
    with pytest.raises(Refusal, match="no policy"):
        pick(face("chat").parse(CHAT, chat.encode()), "messages").request("claude")


def test_servers_of_tools_that_the_provider_calls_are_refused() -> None:
    servers = [{"type": "url", "url": "https://a", "name": "a"}]
    chat = json.dumps({"model": "a/b", "messages": [{"role": "user", "content": "hi"}], "mcp_servers": servers})
    with pytest.raises(Refusal, match="no policy"):
        asked(mcp_servers=servers)
    with pytest.raises(Refusal, match="no policy"):
        pick(face("chat").parse(CHAT, chat.encode()), "messages").request("claude")


def test_a_provider_that_knows_no_marks_of_caches_is_not_told_of_them() -> None:
    turn = {"role": "user", "content": [{"type": "text", "text": "hi", **MARK}]}
    sent = put(messages=[turn], tools=[{**TOOL, **MARK}])
    assert "cache_control" not in json.dumps(sent)
    assert sent["messages"] == [{"role": "user", "content": "hi"}]
    kept = pick(asked(messages=[turn]), "chat").request("anthropic/claude-sonnet-4.5").body or b""
    assert b"cache_control" in kept


def test_a_stream_asks_for_its_usage() -> None:
    assert put(stream=True)["stream_options"] == {"include_usage": True}


def test_a_provider_of_the_same_form_gets_the_request_as_it_is() -> None:
    ask = asked(system=[{"type": "text", "text": "A", **MARK}], new={"x": 1}, thinking={"type": "adaptive"})
    request = pick(ask, "messages").request("claude-opus-4-8")
    assert request.path == "/messages"
    assert json.loads(request.body or b"") == {**(ask.native or {}), "model": "claude-opus-4-8"}


def test_a_call_that_only_fills_a_cache_stays_one() -> None:
    ask = asked(max_tokens=0)
    assert ask.body["max_tokens"] == 1
    sent = pick(ask.limited("max_completion_tokens", 1), "messages").request("claude").body or b""
    assert json.loads(sent)["max_tokens"] == 0


@pytest.mark.parametrize(
    "fields",
    [{"speed": "fast"}, {"inference_geo": "us"}, {"context_management": {"edits": [{"type": "compact_20260112"}]}}],
)
def test_what_costs_more_than_the_price_tells_is_refused(fields: Any) -> None:
    chat = json.dumps({"model": "a/b", "messages": [{"role": "user", "content": "hi"}], **fields}).encode()
    with pytest.raises(Refusal, match="budget"):
        asked(**fields)
    with pytest.raises(Refusal, match="budget"):
        pick(face("chat").parse(CHAT, chat), "messages").request("claude")


def test_what_costs_no_more_is_passed_on() -> None:
    edits = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    native = asked(speed="standard", inference_geo="global", context_management=edits).native
    assert native is not None
    assert native["context_management"] == edits


def test_a_budget_puts_its_bound_into_the_request_as_it_is() -> None:
    ask = asked().limited("max_completion_tokens", 7)
    assert json.loads(pick(ask, "messages").request("claude").body or b"")["max_tokens"] == 7


def test_thoughts_of_other_providers_are_not_given_to_one_that_did_not_have_them() -> None:
    turns = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "a", "signature": ""}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "a", "signature": "signet.e30="},
                                          {"type": "thinking", "thinking": "b", "signature": "theirs"},
                                          {"type": "text", "text": "x"}]},
    ]  # fmt: skip
    sent = json.loads(pick(asked(messages=turns), "messages").request("claude").body or b"")
    assert [turn["content"] for turn in sent["messages"]] == [
        "go",
        [{"type": "thinking", "thinking": "b", "signature": "theirs"}, {"type": "text", "text": "x"}],
    ]


@pytest.mark.parametrize("fields", [{"max_tokens": "x"}, {"messages": None}, {"model": 1}])
def test_what_is_to_be_counted_is_looked_at_as_well(fields: Any) -> None:
    body = {"model": "a/b", "messages": [{"role": "user", "content": "hi"}]}
    assert parse(json.dumps(body).encode(), counts=True).native == body
    with pytest.raises(Refusal):
        parse(json.dumps(body | fields).encode(), counts=True)
