"""The official OpenAI client's responses, unchanged, whichever form the provider behind the router speaks."""

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from pydantic import BaseModel

from tests.fakes.provider import Reply, ToolCall
from tests.fakes.responses.output import ENCRYPTED
from tests.integration.router.official import FORMS, Official, official

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.parametrize("form", FORMS)]

LOOK: Any = {
    "type": "function",
    "name": "look",
    "parameters": {
        "type": "object",
        "properties": {"at": {"type": "string"}},
        "required": ["at"],
        "additionalProperties": False,
    },
    "strict": True,
}
TWO = Reply(
    reasoning="Look, then ask.",
    tool_calls=(ToolCall("look", {"at": "sea"}, "call_1"), ToolCall("look", {"at": "sky"}, "call_2")),
)
GIVEN_BACK = {
    "chat": '"reasoning_content": "Look, then ask."',
    "responses": f'"encrypted_content": "{ENCRYPTED}"',
    "messages": '"type": "thinking", "thinking": "Look, then ask.", "signature": "',
}
"""How each provider gets back what was thought before the calls."""

PIXEL = "data:image/png;base64,iVBORw0KGgo="


class City(BaseModel):
    """What is asked for."""

    name: str
    people: int


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[Official]:
    async with official() as running:
        yield running


async def test_an_answer_has_its_text_and_what_it_used(house: Official, form: str) -> None:
    raw = await house.client.responses.with_raw_response.create(
        model=f"{form}/fake-small", input="hi", instructions="Be brief.", max_output_tokens=50, metadata={"a": "b"}
    )
    answer = raw.parse()
    assert (answer.output_text, answer.status, answer.instructions) == ("You said: hi", "completed", "Be brief.")
    assert answer.metadata == {"a": "b"}
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (11, 5, 16)
    assert answer.usage.input_tokens_details.cached_tokens == 3
    assert answer.usage.output_tokens_details.reasoning_tokens == 2
    told = json.loads(raw.headers["x-signet-usage"])
    assert (told["provider"], told["input_tokens"], told["output_tokens"]) == (form, 11, 5)


async def test_an_answer_that_reached_its_limit_is_incomplete(house: Official, form: str) -> None:
    asked: Any = {"model": f"{form}/fake-small", "input": "one two three four", "max_output_tokens": 3}
    whole = await house.client.responses.create(**asked)
    streamed = [event async for event in await house.client.responses.create(stream=True, **asked)]
    last: Any = streamed[-1]
    assert last.type == "response.incomplete"
    for answer in (whole, last.response):
        assert (answer.status, answer.output_text) == ("incomplete", "You said: one ")
        assert answer.incomplete_details.reason == "max_output_tokens"


async def test_the_stream_helper_puts_together_what_a_whole_answer_is(house: Official, form: str) -> None:
    asked: Any = {"model": f"{form}/fake-small", "input": "one two three"}
    whole = await house.client.responses.create(**asked)
    numbers, deltas = [], []
    async with house.client.responses.stream(**asked) as stream:
        async for event in stream:
            numbers.append(event.sequence_number)
            if event.type == "response.output_text.delta":
                deltas.append(event.delta)
        final = await stream.get_final_response()
    assert numbers == list(range(len(numbers)))
    assert len(deltas) > 3
    assert "".join(deltas) == final.output_text == whole.output_text
    assert final.usage == whole.usage


async def test_tools_are_called_at_once_and_their_results_given_back(house: Official, form: str) -> None:
    house.fakes[form].queue(TWO)
    asked: Any = {
        "model": f"{form}/fake-small",
        "tools": [LOOK],
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "low"},
        "max_output_tokens": 5000,
    }
    first = await house.client.responses.create(input="go", **asked)
    calls = [item for item in first.output if item.type == "function_call"]
    assert [(call.call_id, call.name, json.loads(call.arguments)) for call in calls] == [
        ("call_1", "look", {"at": "sea"}),
        ("call_2", "look", {"at": "sky"}),
    ]
    assert first.output[0].type == "reasoning"
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": call.call_id} for call in calls]
    given: Any = [{"role": "user", "content": "go"}, *first.output, *results]
    second = await house.client.responses.create(input=given, **asked)
    assert second.output_text.endswith("call_2")
    assert GIVEN_BACK[form] in json.dumps(house.sent(form))


async def test_calls_of_tools_are_streamed(house: Official, form: str) -> None:
    house.fakes[form].queue(TWO)
    async with house.client.responses.stream(
        model=f"{form}/fake-small", input="go", tools=[LOOK], reasoning={"summary": "auto"}
    ) as stream:
        events: list[Any] = [event async for event in stream]
        final = await stream.get_final_response()
    done = [event for event in events if event.type == "response.function_call_arguments.done"]
    assert [json.loads(event.arguments) for event in done] == [{"at": "sea"}, {"at": "sky"}]
    thought = [event.delta for event in events if event.type == "response.reasoning_summary_text.delta"]
    assert "".join(thought) == "Look, then ask."
    assert [item.type for item in final.output] == ["reasoning", "function_call", "function_call"]


async def test_an_answer_is_parsed_by_its_schema(house: Official, form: str) -> None:
    answer = await house.client.responses.parse(model=f"{form}/fake-small", input="a city", text_format=City)
    assert answer.output_parsed == City(name="", people=0)
    async with house.client.responses.stream(model=f"{form}/fake-small", input="a city", text_format=City) as stream:
        assert (await stream.get_final_response()).output_parsed == City(name="", people=0)


async def test_pictures_are_handed_on(house: Official, form: str) -> None:
    content: Any = [
        {"type": "input_text", "text": "what is it"},
        {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
    ]
    answer = await house.client.responses.create(
        model=f"{form}/fake-small", input=[{"role": "user", "content": content}]
    )
    assert answer.output_text.startswith("You said: what is it")
    assert PIXEL.partition(",")[2] in json.dumps(house.sent(form))


async def test_its_own_providers_get_the_request_as_it_came(house: Official, form: str) -> None:
    await house.client.responses.create(
        model=f"{form}/fake-small", input="hi", truncation="auto", store=True, reasoning={"effort": "low"}
    )
    native = {
        "model": "fake-small", "input": "hi", "truncation": "auto", "store": True, "reasoning": {"effort": "low"},
    }  # fmt: skip
    chat = {"model": "fake-small", "messages": [{"role": "user", "content": "hi"}], "reasoning_effort": "low"}
    sent = house.sent(form)
    if form == "messages":
        assert (sent["messages"][0]["content"], sent["thinking"]["type"]) == (
            [{"type": "text", "text": "hi"}],
            "enabled",
        )
    else:
        assert sent == (native if form == "responses" else chat)


async def test_what_lies_at_a_provider_can_be_named_to_that_provider_only(house: Official, form: str) -> None:
    asked: Any = {"model": f"{form}/fake-small", "input": "hi", "previous_response_id": "resp_1"}
    if form == "responses":
        assert (await house.client.responses.create(**asked)).previous_response_id == "resp_1"
        return
    with pytest.raises(openai.BadRequestError, match="send the whole conversation") as caught:
        await house.client.responses.create(**asked)
    assert (caught.value.code, caught.value.param) == ("conversation_not_kept", "previous_response_id")


async def test_no_response_can_be_fetched_or_deleted(house: Official, form: str) -> None:
    answer = await house.client.responses.create(model=f"{form}/fake-small", input="hi")
    for ask in (house.client.responses.retrieve, house.client.responses.delete, house.client.responses.cancel):
        with pytest.raises(openai.NotFoundError, match="keeps no responses") as caught:
            await ask(answer.id)
        assert caught.value.code == "response_not_kept"


async def test_tools_of_the_providers_own_are_refused_with_what_can_be_done(house: Official, form: str) -> None:
    with pytest.raises(openai.BadRequestError, match="signet api add") as caught:
        await house.client.responses.create(model=f"{form}/fake-small", input="hi", tools=[{"type": "web_search"}])
    assert caught.value.code == "unsupported_tool"


async def test_tokens_are_counted_before_anything_is_asked(house: Official, form: str) -> None:
    before = len(house.fakes[form].asked)
    counted = await house.client.responses.input_tokens.count(
        model=f"{form}/fake-small", input="word " * 400, instructions="Be brief.", tools=[LOOK]
    )
    assert counted.object == "response.input_tokens"
    assert 100 < counted.input_tokens < 1000
    assert len(house.fakes[form].asked) == before
    with pytest.raises(openai.BadRequestError, match="keeps no responses"):
        await house.client.responses.input_tokens.count(
            model=f"{form}/fake-small", input="hi", previous_response_id="resp_1"
        )
