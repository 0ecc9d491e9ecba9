"""The official Anthropic client, unchanged, whichever form the provider behind the router speaks."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
import pytest_asyncio

from tests.fakes.anthropic import EARLIER, LATER
from tests.fakes.provider import Reply, ToolCall
from tests.integration.router.claude import MODELS, Claude, claude

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.parametrize("form", list(MODELS))]

LOOK: Any = {
    "name": "look",
    "description": "Looks.",
    "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
}
TWO = Reply(tool_calls=(ToolCall("look", {"at": "sea"}, "toolu_1"), ToolCall("look", {"at": "sky"}, "toolu_2")))
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[Claude]:
    async with claude() as running:
        yield running


def said(content: Any) -> Any:
    return [{"role": "user", "content": content}]


async def test_an_answer_has_its_text_and_what_it_used(house: Claude, form: str) -> None:
    raw = await house.client.messages.with_raw_response.create(
        model=MODELS[form], max_tokens=50, messages=said("hi"), system="Be brief.",
        extra_body={"temperature": 0.5}, stop_sequences=["END"], metadata={"user_id": "u1"},
    )  # fmt: skip
    answer = await raw.parse()
    assert answer.content[0].type == "text"
    assert answer.content[0].text == "You said: hi"
    assert (answer.stop_reason, answer.role, answer.type) == ("end_turn", "assistant", "message")
    told = json.loads(raw.headers["x-signet-usage"])
    assert (told["input_tokens"], told["cached_tokens"], told["estimated"]) == (11, 3, False)
    assert answer.usage.cache_read_input_tokens == 3
    assert answer.usage.input_tokens + 3 + (answer.usage.cache_creation_input_tokens or 0) == 11
    sent = house.sent(form)
    assert sent["temperature"] == 0.5
    assert sent["max_tokens"] == 50
    assert sent["stop" if form == "chat" else "stop_sequences"] == ["END"]


async def test_the_stream_helper_puts_together_what_a_whole_answer_is(house: Claude, form: str) -> None:
    asked: Any = {"model": MODELS[form], "max_tokens": 50, "messages": said("one two three")}
    whole = await house.client.messages.create(**asked)
    async with house.client.messages.stream(**asked) as stream:
        words = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
    assert len(words) > 3
    assert "".join(words) == whole.content[0].text
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.usage.input_tokens == whole.usage.input_tokens
    assert final.stop_reason == whole.stop_reason


async def test_an_answer_ends_at_its_limit(house: Claude, form: str) -> None:
    answer = await house.client.messages.create(model=MODELS[form], max_tokens=3, messages=said("one two three"))
    assert answer.stop_reason == "max_tokens"


async def test_parallel_calls_of_tools_go_there_and_back(house: Claude, form: str) -> None:
    house.fakes[form].queue(TWO)
    asked: Any = {"model": MODELS[form], "max_tokens": 50, "tools": [LOOK]}
    first = await house.client.messages.create(messages=said("go"), tool_choice={"type": "any"}, **asked)
    calls = [block for block in first.content if block.type == "tool_use"]
    assert first.stop_reason == "tool_use"
    assert [(call.id, call.name, call.input) for call in calls] == [
        ("toolu_1", "look", {"at": "sea"}),
        ("toolu_2", "look", {"at": "sky"}),
    ]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": f"of {call.id}"} for call in calls]
    messages: Any = [*said("go"), first.to_param(), {"role": "user", "content": results}]
    second = await house.client.messages.create(messages=messages, **asked)
    assert second.content[0].type == "text"
    assert "of toolu_2" in second.content[0].text


async def test_calls_of_tools_are_streamed(house: Claude, form: str) -> None:
    house.fakes[form].queue(TWO)
    asked: Any = {"model": MODELS[form], "max_tokens": 50, "tools": [LOOK]}
    async with house.client.messages.stream(messages=said("go"), **asked) as stream:
        pieces = [event.partial_json async for event in stream if event.type == "input_json"]
        final = await stream.get_final_message()
    assert json.loads("[" + "".join(pieces).replace("}{", "},{") + "]") == [{"at": "sea"}, {"at": "sky"}]
    calls = [(block.id, block.input) for block in final.content if block.type == "tool_use"]
    assert calls == [("toolu_1", {"at": "sea"}), ("toolu_2", {"at": "sky"})]
    assert final.stop_reason == "tool_use"


async def test_what_a_tool_could_not_do_and_what_it_saw_is_handed_on(house: Claude, form: str) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    messages: Any = [
        *said("go"),
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {}},
                                          {"type": "tool_use", "id": "t2", "name": "look", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "gone", "is_error": True},
            {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "image", "source": source}]}]},
    ]  # fmt: skip
    await house.client.messages.create(model=MODELS[form], max_tokens=50, messages=messages, tools=[LOOK])
    assert PIXEL in json.dumps(house.sent(form))
    assert ("Error: gone" if form == "chat" else '"is_error": true') in json.dumps(house.sent(form))


async def test_pictures_and_documents_are_handed_on(house: Claude, form: str) -> None:
    content = [
        {"type": "text", "text": "what is it"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Once upon"}},
    ]
    await house.client.messages.create(model=MODELS[form], max_tokens=50, messages=said(content))
    sent = json.dumps(house.sent(form))
    assert PIXEL in sent
    assert "https://example.org/a.png" in sent
    assert "Once upon" in sent


async def test_thoughts_are_told_and_go_back_to_whoever_had_them(house: Claude, form: str) -> None:
    thinking: Any = {"type": "enabled", "budget_tokens": 2000}
    asked: Any = {"model": MODELS[form], "max_tokens": 8000, "thinking": thinking}
    async with house.client.messages.stream(messages=said("THINK twice"), **asked) as stream:
        thoughts = [event.thinking async for event in stream if event.type == "thinking"]
        streamed = await stream.get_final_message()
    whole = await house.client.messages.create(messages=said("THINK twice"), **asked)
    assert "".join(thoughts) == "twice"
    assert streamed.content[0] == whole.content[0]
    assert whole.content[0].type == "thinking"
    await house.client.messages.create(messages=[*said("x"), whole.to_param(), *said("and?")], **asked)
    assert "twice" in json.dumps(house.sent(form)["messages"])
    if form == "chat":
        assert house.sent(form)["reasoning_effort"] == "low"
    else:
        assert house.sent(form)["thinking"] == thinking


async def test_an_answer_keeps_to_a_schema(house: Claude, form: str) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
              "additionalProperties": False}  # fmt: skip
    answer = await house.client.messages.create(
        model=MODELS[form], max_tokens=50, messages=said("a city"),
        output_config={"format": {"type": "json_schema", "schema": schema}},
    )  # fmt: skip
    assert answer.content[0].type == "text"
    assert json.loads(answer.content[0].text) == {"name": ""}


async def test_tokens_are_counted_by_who_can_and_estimated_by_the_router_else(house: Claude, form: str) -> None:
    before = len(house.fakes[form].asked)
    counted = await house.client.messages.count_tokens(
        model=MODELS[form], messages=said("one two three four five"), system="Be brief.", tools=[LOOK]
    )
    assert counted.input_tokens == (8 if form == "messages" else counted.input_tokens)
    assert 5 <= counted.input_tokens < 100
    assert len(house.fakes[form].asked) == before


async def test_models_are_listed_as_the_client_wants_them(house: Claude, form: str) -> None:
    listed = [model.id async for model in house.client.models.list()]
    assert MODELS[form] in listed
    assert (await house.client.models.retrieve(MODELS[form])).display_name == MODELS[form]
    assert MODELS[form] in {model.id async for model in house.openai.models.list()}


async def test_it_is_in_the_ledger_under_its_provider(house: Claude, form: str) -> None:
    run = house.as_run(MODELS[form])
    await run.messages.create(model=MODELS[form], max_tokens=50, messages=said("hi"))
    async with run.messages.stream(model=MODELS[form], max_tokens=50, messages=said("hi")) as stream:
        await stream.get_final_message()
    rows = await house.rows(2)
    assert [(row.provider, row.run, row.input_tokens, row.cached_tokens, row.output_tokens, row.outcome)
            for row in rows] == [(f"providers/{form}", "runs/r1", 11, 3, 5, "answered")] * 2  # fmt: skip


async def test_what_is_new_in_the_api_reaches_providers_that_speak_it(house: Claude, form: str) -> None:
    if form == "chat":
        with pytest.raises(anthropic.BadRequestError, match="Messages API"):
            await house.client.messages.create(
                model=MODELS[form], max_tokens=50, messages=said("hi"),
                tools=[{"type": "bash_20250124", "name": "bash"}],
            )  # fmt: skip
        return
    await house.client.messages.create(
        model=f"messages/{LATER}", max_tokens=50, messages=said("hi"), thinking={"type": "adaptive"},
        tools=[{"type": "bash_20250124", "name": "bash"}], cache_control={"type": "ephemeral"},
        extra_headers={"anthropic-beta": "some-beta-2026-01-01", "x-other": "no"},
    )  # fmt: skip
    asked = house.fakes[form].asked[-1]
    assert asked.headers["anthropic-beta"] == "some-beta-2026-01-01"
    assert asked.headers["anthropic-version"] == "2023-06-01"
    assert "x-other" not in asked.headers
    assert "authorization" not in asked.headers
    assert asked.body["tools"][0]["type"] == "bash_20250124"
    assert asked.body["model"] == LATER
    assert EARLIER != LATER
