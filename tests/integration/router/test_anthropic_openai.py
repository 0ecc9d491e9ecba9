"""The official OpenAI client before a provider that speaks Anthropic's Messages API: it notices nothing."""

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from tests.fakes.anthropic import EARLIER, LATER
from tests.fakes.provider import Fault, Reply, ToolCall
from tests.integration.router.claude import KEY, Claude, claude

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = f"messages/{EARLIER}"
LOOK: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
TWO = Reply(tool_calls=(ToolCall("look", {"at": "sea"}, "toolu_1"), ToolCall("look", {}, "toolu_2")), reasoning="Hm.")
LONG = Reply("word " * 5000, delay_seconds=0.02)
PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[Claude]:
    async with claude() as running:
        yield running


def said(content: Any) -> Any:
    return [{"role": "user", "content": content}]


async def test_an_answer_has_its_text_and_what_it_used(house: Claude) -> None:
    messages: Any = [{"role": "developer", "content": "Be brief."}, *said("hi")]
    answer = await house.openai.chat.completions.create(model=MODEL, messages=messages, temperature=0.5, seed=1)
    assert answer.choices[0].message.content == "You said: hi"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 5)
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 3
    assert house.sent("messages")["system"] == "Be brief."
    row = (await house.rows(1))[0]
    assert (row.input_tokens, row.cached_tokens, row.cache_write_tokens, row.output_tokens) == (11, 3, 2, 5)
    headers = house.fakes["messages"].asked[-1].headers
    assert (headers["x-api-key"], headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert "authorization" not in headers


async def test_a_stream_tells_the_same_and_its_usage_to_whoever_asks(house: Claude) -> None:
    asked: Any = {"model": MODEL, "messages": said("one two three")}
    async with house.openai.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
        deltas = [event.delta async for event in stream if event.type == "content.delta"]
        final = await stream.get_final_completion()
    assert len(deltas) > 3
    assert "".join(deltas) == final.choices[0].message.content == "You said: one two three"
    assert final.usage is not None
    assert final.usage.total_tokens == 11 + 7


async def test_an_answer_ends_at_its_limit(house: Claude) -> None:
    answer = await house.openai.chat.completions.create(model=MODEL, messages=said("a b c"), max_completion_tokens=3)
    assert answer.choices[0].finish_reason == "length"


async def test_calls_and_thoughts_go_there_and_back(house: Claude) -> None:
    house.fakes["messages"].queue(TWO)
    asked: Any = {"model": MODEL, "tools": [LOOK], "reasoning_effort": "medium", "max_completion_tokens": 8000}
    async with house.openai.chat.completions.stream(messages=said("go"), **asked) as stream:
        first: Any = (await stream.get_final_completion()).choices[0]
    assert first.finish_reason == "tool_calls"
    calls = first.message.tool_calls
    assert [(call.id, json.loads(call.function.arguments)) for call in calls] == [
        ("toolu_1", {"at": "sea"}),
        ("toolu_2", {}),
    ]
    assert first.message.reasoning_content == "Hm."
    assert house.sent("messages")["thinking"] == {"type": "enabled", "budget_tokens": 4000}
    house.fakes["messages"].queue(TWO)
    whole: Any = (await house.openai.chat.completions.create(messages=said("go"), **asked)).choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": f"of {call.id}"} for call in calls]
    messages = [*said("go"), whole.model_dump(exclude_none=True), *results]
    second = await house.openai.chat.completions.create(messages=messages, **asked)
    assert "of toolu_2" in str(second.choices[0].message.content)
    assert house.sent("messages")["messages"][1]["content"][0]["type"] == "thinking"  # signed, or it were refused


async def test_models_that_decide_themselves_how_much_to_think_are_let(house: Claude) -> None:
    model = f"messages/{LATER}"
    answer: Any = await house.openai.chat.completions.create(
        model=model, messages=said("THINK twice"), reasoning_effort="high", temperature=0.3
    )
    assert answer.choices[0].message.reasoning_content == "twice"
    sent = house.sent("messages")
    assert (sent["thinking"]["type"], sent["output_config"]) == ("adaptive", {"effort": "high"})


async def test_pictures_and_schemas_are_handed_on(house: Claude) -> None:
    content = [{"type": "text", "text": "what is it"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
              "additionalProperties": False}  # fmt: skip
    form: Any = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema, "strict": True}}
    answer = await house.openai.chat.completions.create(model=MODEL, messages=said(content), response_format=form)
    assert json.loads(answer.choices[0].message.content or "") == {"name": ""}
    assert house.sent("messages")["messages"][0]["content"][1]["source"]["media_type"] == "image/png"


async def test_the_responses_interface_works_as_well(house: Claude) -> None:
    answer = await house.openai.responses.create(model=MODEL, input="hi")
    assert answer.output_text == "You said: hi"
    async with house.openai.responses.stream(model=MODEL, input="one two three") as stream:
        final = await stream.get_final_response()
    assert final.output_text == "You said: one two three"


async def test_what_the_api_refuses_is_a_bad_request(house: Claude) -> None:
    for fields in ({"n": 2}, {"logprobs": True}, {"tools": [LOOK], "tool_choice": "some"}):
        with pytest.raises(openai.BadRequestError):
            await house.openai.chat.completions.create(model=MODEL, messages=said("hi"), extra_body=fields)
    with pytest.raises(openai.BadRequestError):
        await house.openai.embeddings.create(model=MODEL, input="x")


async def test_a_stream_that_breaks_is_an_error_and_who_leaves_ends_it(house: Claude) -> None:
    house.fakes["messages"].queue(Reply("one two three four", fault=Fault.RESET), LONG)
    asked: Any = {"model": MODEL, "messages": said("hi"), "stream": True, "max_tokens": 9000}
    with pytest.raises(openai.APIError) as caught:
        _ = [chunk async for chunk in await house.openai.chat.completions.create(**asked)]
    assert caught.value.code == "provider_error"
    stream = await house.openai.chat.completions.create(**asked)
    await anext(aiter(stream))
    await stream.close()
    await house.fakes["messages"].hung_up()


async def test_all_pages_of_its_models_are_listed_with_what_they_can_do(house: Claude) -> None:
    fake = house.fakes["messages"]
    listed = {model.id async for model in house.openai.models.list()}
    assert {f"messages/{name}" for name in fake.models} <= listed
    profile = house.rig.app.fleet.model(MODEL).profile
    assert (profile.context_tokens, profile.output_tokens) == (200_000, 64_000)
    assert (profile.tools, profile.images, profile.json_schema, profile.reasoning) == (True, True, True, True)
