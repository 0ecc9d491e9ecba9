"""A chat request is written in the Messages API's words, as strictly as that wants them; its answer is read back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ask import CHAT, parse
from router.dialects.codec import pick
from router.dialects.forms import dialect, face
from router.refusal import Refusal
from tests.fakes.anthropic.check import check

LATER, EARLIER = "claude-opus-4-8", "claude-sonnet-4-5-20250929"
FUNCTION = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
HI = {"role": "user", "content": "hi"}


def put(model: str = EARLIER, **fields: Any) -> Any:
    """Give the request, after the fake has looked at it as the API does."""
    body = {"model": "a/b", "messages": [HI], **fields}
    request = pick(parse(CHAT, json.dumps(body).encode()), "messages").request(model)
    assert request.path == "/messages"
    sent = json.loads(request.body or b"")
    check(sent, later=model == LATER)
    return sent


def turns(*messages: Any, **fields: Any) -> Any:
    return put(messages=list(messages), **fields)["messages"]


def call(ident: str, arguments: str = "{}") -> Any:
    return {"id": ident, "type": "function", "function": {"name": "look", "arguments": arguments}}


def test_what_the_system_is_told_stands_apart_and_a_limit_is_there() -> None:
    sent = put(messages=[{"role": "system", "content": "A"}, HI, {"role": "developer", "content": "B"}])
    assert sent["system"] == [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]
    assert sent["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    assert sent["max_tokens"] == 4096
    assert put(max_completion_tokens=5, max_tokens=9)["max_tokens"] == 5


def test_who_speaks_twice_has_one_turn_and_who_says_nothing_has_none() -> None:
    said = turns(HI, HI, {"role": "assistant", "content": ""}, {"role": "user", "content": "x"})
    assert [turn["role"] for turn in said] == ["user"]
    assert [block["text"] for block in said[0]["content"]] == ["hi", "hi", "x"]


def test_of_empty_texts_nothing_is_left() -> None:
    parts = [{"type": "text", "text": ""}, {"type": "text", "text": "x"}]
    assert turns({"role": "user", "content": parts})[0]["content"] == [{"type": "text", "text": "x"}]


def test_what_a_model_refused_stays_said() -> None:
    said = turns(HI, {"role": "assistant", "content": None, "refusal": "No."}, HI)
    assert said[1]["content"] == [{"type": "text", "text": "No."}]


def test_calls_are_followed_by_what_the_tools_gave() -> None:
    said = turns(
        HI, {"role": "assistant", "content": None, "tool_calls": [call("a.b:1", '{"x":1}'), call("c2", "")]},
        {"role": "tool", "tool_call_id": "a.b:1", "content": [
            {"type": "text", "text": "r", "cache_control": {"type": "ephemeral"}},
            {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,AAAA"}}]},
        {"role": "tool", "tool_call_id": "c2", "content": "", "is_error": True}, {"role": "user", "content": "and?"},
        tools=[FUNCTION],
    )  # fmt: skip
    assert said[1]["content"] == [
        {"type": "tool_use", "id": "a_b_1", "name": "look", "input": {"x": 1}},
        {"type": "tool_use", "id": "c2", "name": "look", "input": {}},
    ]
    first, second, third = said[2]["content"]
    assert first["tool_use_id"] == "a_b_1"
    assert first["content"][1]["source"] == {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}
    assert first["cache_control"] == {"type": "ephemeral"}
    assert second == {"type": "tool_result", "tool_use_id": "c2", "is_error": True}
    assert third == {"type": "text", "text": "and?"}


def test_a_conversation_with_calls_names_their_tools_even_where_none_is_offered() -> None:
    sent = put(messages=[HI, {"role": "assistant", "content": None, "tool_calls": [call("c1")]},
                         {"role": "tool", "tool_call_id": "c1", "content": "r"}])  # fmt: skip
    assert [tool["name"] for tool in sent["tools"]] == ["look"]
    assert sent["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize("arguments", ["{", "[1]", '"x"', "nul"])
def test_arguments_that_are_no_json_object_are_refused(arguments: str) -> None:
    with pytest.raises(Refusal, match="arguments") as caught:
        turns(HI, {"role": "assistant", "tool_calls": [call("c1", arguments)]})
    assert caught.value.status == 400


def test_pictures_and_documents() -> None:
    said = turns({"role": "user", "content": [
        {"type": "image_url", "image_url": "https://a/b.png"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        {"type": "file", "file": {"file_data": "https://a/b.pdf"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "own"}},
    ]})  # fmt: skip
    assert [block["source"]["type"] for block in said[0]["content"]] == ["url", "base64", "base64", "url", "text"]
    assert said[0]["content"][2]["title"] == "a.pdf"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/bmp;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "ftp://a"}},
        {"type": "image_url", "image_url": {}},
        {"type": "file", "file": {"file_data": "data:application/zip;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
    ],
)
def test_what_it_cannot_see_or_hear_is_refused(part: Any) -> None:
    with pytest.raises(Refusal) as caught:
        turns({"role": "user", "content": [part]})
    assert caught.value.status == 400


def test_tools_and_the_choice_among_them() -> None:
    for word, kind in (("auto", "auto"), ("required", "any"), ("none", "none")):
        assert put(tools=[FUNCTION], tool_choice=word)["tool_choice"] == {"type": kind}
    named = {"type": "function", "function": {"name": "look"}}
    one = put(tools=[FUNCTION], tool_choice=named, parallel_tool_calls=False)
    assert one["tool_choice"] == {"type": "tool", "name": "look", "disable_parallel_tool_use": True}
    auto = put(tools=[FUNCTION], parallel_tool_calls=False)
    assert auto["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert put(tools=[{"type": "function", "function": {"name": "x"}}])["tools"][0]["input_schema"]["type"] == "object"
    other = {"type": "function", "function": {"name": "other", "parameters": {}}}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [named]}}
    some = put(tools=[FUNCTION, other], tool_choice=allowed)
    assert ([tool["name"] for tool in some["tools"]], some["tool_choice"]) == (["look"], {"type": "any"})
    assert "tool_choice" not in put(tool_choice="auto")


def test_settings() -> None:
    sent = put(temperature=1.5, top_p=0.5, top_k=4, stop=["X", "\n"], user="u", seed=1, stream=True, store=False, n=1,
               stream_options={"include_usage": True}, frequency_penalty=0, metadata={"a": "b"})  # fmt: skip
    sent.pop("messages")
    assert sent == {
        "model": EARLIER, "max_tokens": 4096, "temperature": 1, "top_p": 0.5, "top_k": 4, "stop_sequences": ["X"],
        "metadata": {"user_id": "u"}, "stream": True,
    }  # fmt: skip
    assert not {"temperature", "top_p", "top_k"} & put(LATER, temperature=0.5, top_p=0.5, top_k=4).keys()
    assert put("claude-sonnet-4-6", temperature=0.5)["temperature"] == 0.5


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"logprobs": True},
        {"logit_bias": {"1": 1}},
        {"presence_penalty": 0.5},
        {"functions": [{"name": "x"}]},
        {"modalities": ["text", "audio"]},
        {"max_tokens": 0},
        {"response_format": {"type": "xml"}},
        {"tools": [{"type": "custom", "custom": {"name": "x"}}]},
        {"messages": [{"role": "user", "content": ""}]},
        {"messages": [{"role": "function", "content": "x"}]},
        {"messages": [{"role": "tool", "content": "x"}]},
    ],
)
def test_what_it_cannot_say_is_refused(fields: Any) -> None:
    with pytest.raises(Refusal) as caught:
        put(**fields)
    assert caught.value.status == 400


def test_how_hard_to_think_is_said_as_the_model_wants_it() -> None:
    assert put(LATER, reasoning_effort="high")["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert put(LATER, reasoning_effort="high")["output_config"] == {"effort": "high"}
    budgeted = put(reasoning_effort="medium", max_tokens=8000, temperature=0.2)
    assert budgeted["thinking"] == {"type": "enabled", "budget_tokens": 4000}
    assert "temperature" not in budgeted
    assert "thinking" not in put(reasoning_effort="high", max_tokens=1000)  # there is no room for it
    assert "thinking" not in put(reasoning_effort="high", tools=[FUNCTION], tool_choice="required")
    assert put(reasoning_effort="none")["thinking"] == {"type": "disabled"}
    own = {"type": "enabled", "budget_tokens": 2000}
    assert put(thinking=own)["thinking"] == own


@pytest.mark.parametrize(
    ("model", "decides"),
    [
        ("claude-3-7-sonnet-20250219", False), ("claude-3-5-haiku-latest", False), ("claude-opus-4-0", False),
        ("claude-opus-4-20250514", False), ("claude-opus-4-1-20250805", False), ("claude-haiku-4-5", False),
        ("claude-opus-4-5@20251101", False), ("anthropic/claude-sonnet-4.5", False), ("glm-4.6", False),
        ("claude-opus-4-6", True), ("claude-sonnet-4-6", True), ("claude-opus-4-7", True), ("claude-opus-4-10", True),
        ("claude-sonnet-5", True), ("claude-opus-5-20260801", True),
    ],
)  # fmt: skip
def test_models_that_decide_themselves_how_much_to_think_are_known_by_name(model: str, decides: bool) -> None:  # noqa: FBT001 - a table
    sent = json.loads(
        pick(
            parse(CHAT, json.dumps({"model": "a/b", "messages": [HI], "reasoning_effort": "low"}).encode()), "messages"
        )
        .request(model)
        .body
        or b""
    )
    assert (sent.get("thinking", {}).get("type") == "adaptive") is decides


def test_a_schema_is_the_outputs_format_and_any_json_is_asked_for_in_words() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    assert put(response_format=form)["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    both = put(LATER, response_format=form, reasoning_effort="low")["output_config"]
    assert both == {"effort": "low", "format": {"type": "json_schema", "schema": schema}}
    assert "JSON" in put(response_format={"type": "json_object"})["system"]


def test_an_answer_that_is_to_be_continued_has_no_white_space_at_its_end() -> None:
    assert turns(HI, {"role": "assistant", "content": "The answer is \n"})[1]["content"][0]["text"] == "The answer is"


def test_only_thoughts_that_this_form_signed_go_back() -> None:
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": "sig-aG0=", "format": "anthropic-claude-v1"},
        {"type": "reasoning.text", "text": "no", "signature": "x", "format": "google-gemini-v1"},
        {"type": "reasoning.text", "text": "no"},
        {"type": "reasoning.encrypted", "data": "d"},
    ]
    said = turns(HI, {"role": "assistant", "content": "x", "reasoning_content": "hm", "reasoning_details": details}, HI)
    assert [block["type"] for block in said[1]["content"]] == ["thinking", "redacted_thinking", "text"]


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda text: text.strip() == text)
PART = st.one_of(
    TEXT.map(lambda text: {"type": "text", "text": text}),
    st.sampled_from(["https://a/b.png", "data:image/png;base64,AAAA"]).map(
        lambda url: {"type": "image_url", "image_url": {"url": url}}
    ),
    st.just({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}}),
)
JSON = st.dictionaries(TEXT, st.one_of(st.integers(), TEXT, st.booleans(), st.none()), max_size=3)


@st.composite
def conversations(draw: st.DrawFn) -> list[Any]:
    """Make conversations that both forms can say."""
    messages: list[Any] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(TEXT)})
    for turn in range(draw(st.integers(1, 3))):
        parts = draw(st.lists(PART, min_size=1, max_size=3))
        plain = len(parts) == 1 and parts[0]["type"] == "text"
        messages.append({"role": "user", "content": parts[0]["text"] if plain else parts})
        calls = [
            {"id": f"c{turn}_{number}", "type": "function", "function": {
                "name": draw(st.sampled_from(["look", "act"])),
                "arguments": json.dumps(draw(JSON), separators=(",", ":"), ensure_ascii=False)}}
            for number in range(draw(st.integers(0, 2)))
        ]  # fmt: skip
        said = {"role": "assistant", "content": draw(TEXT)}
        messages.append(said | ({"tool_calls": calls} if calls else {}))
        messages += [{"role": "tool", "tool_call_id": each["id"], "content": draw(TEXT)} for each in calls]
    return [*messages, {"role": "user", "content": "end"}] if messages[-1]["role"] == "assistant" else messages


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Make requests that both forms can say."""
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("look", "act")
    ]
    body: dict[str, Any] = {"model": "a/b", "messages": draw(conversations()), "tools": tools}
    body["max_tokens"] = draw(st.integers(5200, 90_000))
    for name, values in (
        ("tool_choice", ["auto", "required", "none"]),
        ("reasoning_effort", ["low", "medium", "high"]),
    ):
        if draw(st.booleans()):
            body[name] = draw(st.sampled_from(values))
    if body.get("tool_choice") == "required":
        body.pop("reasoning_effort", None)  # they do not go together
    stops = draw(st.lists(TEXT, max_size=2))
    return body | ({"stop": stops} if stops else {})


@given(body=requests(), model=st.sampled_from([EARLIER, LATER]))
def test_what_both_forms_can_say_survives_the_way_there_and_back(body: dict[str, Any], model: str) -> None:
    sent = dialect("messages").request(parse(CHAT, json.dumps(body).encode()), model).body or b""
    check(json.loads(sent), later=model == LATER)
    assert face("messages").parse("", sent).body == body | {"model": model}
