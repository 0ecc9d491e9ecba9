"""A request of the Responses API is read into chat's words, refused where it cannot be, and written from them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ask import CHAT, Ask, parse
from router.budgets.estimate import Ceiling, bound
from router.dialects.codec import pick
from router.dialects.forms import dialect, face
from router.price import Price
from router.refusal import Refusal

FUNCTION = {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}


def asked(**fields: Any) -> Ask:
    body = {"model": "fake/small", "input": "hi", **fields}
    return face("responses").parse("", json.dumps(body).encode())


def said(*items: Any) -> Any:
    return asked(input=list(items)).body["messages"]


def put(**fields: Any) -> Any:
    body = {"model": "r/large", "messages": [{"role": "user", "content": "hi"}], **fields}
    request = pick(parse(CHAT, json.dumps(body).encode()), "responses").request("large")
    assert request.path == "/responses"
    return json.loads(request.body or b"")


def test_a_text_is_a_message_of_the_users_and_instructions_come_first() -> None:
    assert asked().body["messages"] == [{"role": "user", "content": "hi"}]
    assert asked(instructions="Be brief.").body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]


def test_messages_may_leave_out_their_type_and_developers_are_the_system() -> None:
    assert said({"role": "developer", "content": "Be brief."}, {"role": "user", "content": "hi"}) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]


def test_pictures_files_and_sounds_become_chats_parts() -> None:
    content = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
    ]
    assert said({"role": "user", "content": content})[0]["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"}},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
    ]


def test_what_a_model_thought_said_and_called_at_once_is_one_message() -> None:
    messages = said(
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "shell", "input": "ls"},
        {"type": "function_call_output", "call_id": "c1", "output": "blue"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "a"}]},
        {"type": "reasoning", "id": "rs_2", "summary": []},
        {"type": "message", "role": "assistant", "content": "Blue."},
    )
    assert messages[1:] == [
        {
            "role": "assistant",
            "content": "I look.",
            "reasoning_content": "Hm.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                {"id": "c2", "type": "custom", "custom": {"name": "shell", "input": "ls"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "blue"},
        {"role": "tool", "tool_call_id": "c2", "content": "a"},
        {"role": "assistant", "content": "Blue."},
    ]


def test_thoughts_that_led_to_no_call_are_left_out() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
    assert said(thought, {"role": "assistant", "content": "Yes."}, thought, {"role": "user", "content": "hi"}) == [
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "hi"},
    ]


def test_settings_are_said_in_chats_words() -> None:
    body = asked(
        max_output_tokens=9,
        text={"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}, "verbosity": "low"},
        reasoning={"effort": "low", "summary": "auto"},
        tools=[FUNCTION, {"type": "custom", "name": "sh", "format": {"type": "grammar", "syntax": "lark"}}],
        tool_choice={"type": "function", "name": "look"},
        parallel_tool_calls=False,
        temperature=0.5,
        top_p=0.9,
        include=["message.output_text.logprobs"],
        top_logprobs=2,
        metadata={"a": "b"},
        store=True,
        truncation="auto",
        top_k=4,
        stream=True,
    ).body
    assert body == {
        "model": "fake/small",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
        "verbosity": "low",
        "reasoning_effort": "low",
        "tools": [
            {
                "type": "function",
                "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}},
            },
            {"type": "custom", "custom": {"name": "sh", "format": {"type": "grammar", "grammar": {"syntax": "lark"}}}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": False,
        "temperature": 0.5,
        "top_p": 0.9,
        "logprobs": True,
        "top_logprobs": 2,
        "top_k": 4,
        "stream": True,
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": 1}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": ["hi"]}, "input[0]"),
        ({"input": [{"content": "hi"}]}, "input[0].type"),
        ({"input": [{"role": "pope", "content": "hi"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": 1}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": ["a"]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url"),
        ({"input": [{"type": "function_call", "name": "a", "arguments": "{}"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "a"}]}, "input[0].output"),
        ({"instructions": ["a"]}, "instructions"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": "9"}, "max_output_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 0}, "stream"),
        ({"text": "json"}, "text"),
        ({"text": {"format": {"type": "xml"}}}, "text.format"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format"),
        ({"reasoning": "low"}, "reasoning"),
        ({"include": "all"}, "include"),
        ({"tools": {}}, "tools"),
        ({"tools": ["look"]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": "look"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"background": True}, "background"),
        ({"messages": []}, "messages"),
        ({"max_tokens": 4}, "max_tokens"),
        ({"response_format": {}}, "response_format"),
    ],
)
def test_a_bad_request_is_told_where_it_is_bad(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Refusal) as caught:
        asked(**fields)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "invalid_request", param)


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search"}, {"type": "web_search_preview_2025_03_11"}, {"type": "file_search"}, {"type": "mcp"},
        {"type": "code_interpreter"}, {"type": "image_generation"},
        {"type": "shell", "environment": {"type": "container_auto"}},
    ],
)  # fmt: skip
def test_tools_that_the_provider_would_run_are_refused_to_everybody(tool: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="no policy and no budget of yours holds") as caught:
        asked(tools=[FUNCTION, tool])
    assert (caught.value.status, caught.value.code) == (400, "unsupported_tool")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"previous_response_id": "resp_1"}, "conversation_not_kept"),
        ({"previous_response_id": "resp_1", "input": None}, "conversation_not_kept"),
        ({"conversation": "conv_1"}, "conversation_not_kept"),
        ({"prompt": {"id": "pmpt_1"}, "input": None}, "conversation_not_kept"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "conversation_not_kept"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, "conversation_not_kept"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "f"}]}]}, "conversation_not_kept"),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "unsupported_parameter"),
        ({"input": [{"type": "of_the_future"}]}, "unsupported_parameter"),
        ({"input": [{"role": "user", "content": [{"type": "input_smell"}]}]}, "unsupported_parameter"),
        ({"tools": [{"type": "local_shell"}]}, "unsupported_parameter"),
        ({"tools": [FUNCTION], "tool_choice": {"type": "apply_patch"}}, "unsupported_parameter"),
        ({"context_management": [{"type": "compaction"}]}, "unsupported_parameter"),
    ],
)
def test_what_only_this_form_can_say_is_for_its_own_providers(fields: dict[str, Any], code: str) -> None:
    ask = asked(**fields)
    with pytest.raises(Refusal) as caught:
        pick(ask, "chat")
    assert (caught.value.status, caught.value.code) == (400, code)
    assert ask.unbounded == (code == "conversation_not_kept")
    sent = json.loads(pick(ask, "responses").request("large").body or b"")
    assert sent == {**(ask.native or {}), "model": "large"}


def test_what_lies_elsewhere_may_be_as_long_as_the_context_and_what_is_here_is_not() -> None:
    ceiling = Ceiling(context_tokens=9000, output_tokens=100, seconds=60)
    price = Price(1_000_000, 2_000_000)
    _, elsewhere = bound(asked(previous_response_id="resp_1"), price, ceiling, put=False)
    _, here = bound(asked(), price, ceiling, put=False)
    assert (elsewhere.input_tokens, elsewhere.cost_microusd) == (9000, 9200)
    assert here.input_tokens < 100


def test_a_limit_reaches_its_provider_in_the_providers_own_word() -> None:
    ceiling = Ceiling(context_tokens=9000, output_tokens=100, seconds=60, field="max_completion_tokens")
    ask, most = bound(asked(max_output_tokens=7), Price(None, None), ceiling, put=False)
    assert most.output_tokens == 7
    sent = json.loads(pick(ask, "chat").request("m").body or b"")
    assert (sent["max_completion_tokens"], "max_tokens" in sent) == (7, False)
    assert json.loads(pick(ask, "responses").request("m").body or b"")["max_output_tokens"] == 7


def test_a_native_request_goes_as_it_came_but_for_model_and_limit() -> None:
    body = {
        "model": "r/large",
        "input": [{"role": "user", "content": "ü"}],
        "of_the_future": [1.5, None],
        "store": True,
    }
    ask = face("responses").parse("", json.dumps(body).encode()).limited("max_tokens", 77)
    sent = json.loads(pick(ask, "responses").request("large").body or b"")
    assert sent == {**body, "model": "large", "max_output_tokens": 77}
    assert json.loads(pick(ask, "chat").request("m").body or b"")["max_tokens"] == 77


def test_chats_request_is_written_as_items_and_nothing_is_stored() -> None:
    sent = put(
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "a"},
                                         {"type": "image_url", "image_url": {"url": "u"}}]},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                {"id": "c2", "type": "custom", "custom": {"name": "sh", "input": "ls"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "blue"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "red"}]},
        ],
        tools=[{"type": "function", "function": {"name": "look"}}],
        tool_choice={"type": "function", "function": {"name": "look"}},
        max_completion_tokens=9,
        seed=1,
        n=1,
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
        reasoning_effort="low",
        verbosity="high",
        logprobs=True,
        top_logprobs=3,
        presence_penalty=0,
        metadata={"a": "b"},
        top_k=3,
        stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    assert sent == {
        "model": "large",
        "input": [
            {"type": "message", "role": "developer", "content": "Be brief."},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "u", "detail": "auto"}]},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "I look.", "annotations": []}]},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "sh", "input": "ls"},
            {"type": "function_call_output", "call_id": "c1", "output": "blue"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "red"}]},
        ],
        "tools": [
            {"type": "function", "name": "look", "strict": False, "parameters": {"type": "object", "properties": {}}}
        ],
        "tool_choice": {"type": "function", "name": "look"},
        "max_output_tokens": 9,
        "store": False,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}, "verbosity": "high"},
        "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "top_logprobs": 3,
        "metadata": {"a": "b"},
        "top_k": 3,
        "stream": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stop": ["a"]}, "stop"),
        ({"n": 2}, "n"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"functions": [{"name": "a"}]}, "functions"),
        ({"messages": [{"role": "function", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}, "messages[0].tool_calls[0]"),
        ({"tools": [{"type": "web"}]}, "tools[0]"),
        ({"tools": [{"type": "function", "function": {"name": "a"}}], "tool_choice": "a"}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format"),
    ],
)
def test_what_this_form_cannot_say_is_refused_and_never_left_out(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Refusal) as caught:
        put(**fields)
    assert (caught.value.status, caught.value.param) == (400, param)


TEXT = st.text(min_size=1, max_size=8)
CALL = st.builds(
    lambda kind, name, rest: (
        {"type": kind, kind: {"name": name, "arguments" if kind == "function" else "input": rest}}
    ),
    st.sampled_from(["function", "custom"]), TEXT, TEXT,
)  # fmt: skip
PART = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, TEXT),
    st.builds(lambda url: {"type": "image_url", "image_url": {"url": url, "detail": "auto"}}, TEXT),
    st.builds(lambda data: {"type": "file", "file": {"file_data": data}}, TEXT),
)
USER = st.builds(
    lambda role, content: [{"role": role, "content": content}],
    st.sampled_from(["user", "system"]), TEXT | st.lists(PART, min_size=2, max_size=3),
)  # fmt: skip


def _turn(text: str | None, calls: list[Any], result: str) -> list[dict[str, Any]]:
    if not calls:
        return [{"role": "assistant", "content": text or "yes"}, {"role": "user", "content": "go on"}]
    named = [{"id": f"c{index}", **call} for index, call in enumerate(calls)]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": result} for call in named]
    return [{"role": "assistant", "content": text, "tool_calls": named}, *results]


TURN = st.builds(_turn, st.none() | TEXT, st.lists(CALL, max_size=3), TEXT)


@given(turns=st.lists(USER | TURN, min_size=1, max_size=6))
def test_a_conversation_comes_back_from_this_form_as_it_was(turns: list[list[Any]]) -> None:
    messages = [message for turn in turns for message in turn]
    body = {"model": "m", "messages": messages}
    ask = Ask(CHAT, "m", body, 1, stream=False, include_usage=False)
    sent = json.loads(dialect("responses").request(ask, "m").body or b"")
    back = face("responses").parse("", json.dumps(sent).encode())
    assert back.body["messages"] == messages
    assert back.only is None
