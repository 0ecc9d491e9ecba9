"""The official OpenAI client's chat completions, unchanged, whichever form the provider behind the router speaks."""

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from pydantic import BaseModel

from tests.fakes.provider import Reply, ToolCall
from tests.integration.router.official import FORMS, Official, official

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.parametrize("form", FORMS)]

LOOK: Any = {
    "type": "function",
    "function": {
        "name": "look",
        "parameters": {
            "type": "object",
            "properties": {"at": {"type": "string"}},
            "required": ["at"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
LOOSE: Any = {"type": "function", "function": {"name": "ask", "parameters": {"type": "object"}}}
TWO = Reply(tool_calls=(ToolCall("look", {"at": "sea"}, "call_1"), ToolCall("ask", {"whom": "you"}, "call_2")))
PIXEL = "data:image/png;base64,iVBORw0KGgo="


class City(BaseModel):
    """What is asked for."""

    name: str
    people: int


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[Official]:
    async with official() as running:
        yield running


def said(text: Any) -> Any:
    return [{"role": "user", "content": text}]


async def test_an_answer_has_its_text_and_what_it_used(house: Official, form: str) -> None:
    raw = await house.client.chat.completions.with_raw_response.create(
        model=f"{form}/fake-small", messages=said("hi"), max_completion_tokens=50, temperature=0.5
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == "You said: hi"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (11, 5, 16)
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 3
    told = json.loads(raw.headers["x-signet-usage"])
    assert (told["input_tokens"], told["cached_tokens"], told["reasoning_tokens"]) == (11, 3, 2)
    assert told["estimated"] is False
    assert house.sent(form)["temperature"] == 0.5
    assert house.sent(form).get("store", False) is False


async def test_what_was_thought_is_told(house: Official, form: str) -> None:
    answer = await house.client.chat.completions.create(model=f"{form}/fake-small", messages=said("THINK twice"))
    assert getattr(answer.choices[0].message, "reasoning_content", None) == "twice"


async def test_an_answer_ends_at_its_limit(house: Official, form: str) -> None:
    answer = await house.client.chat.completions.create(
        model=f"{form}/fake-small", messages=said("one two three four"), max_tokens=3
    )
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("length", "You said: one ")


async def test_the_stream_helper_puts_together_what_a_whole_answer_is(house: Official, form: str) -> None:
    asked: Any = {"model": f"{form}/fake-small", "messages": said("one two three")}
    whole = await house.client.chat.completions.create(**asked)
    async with house.client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
        deltas = [event.delta async for event in stream if event.type == "content.delta"]
        final = await stream.get_final_completion()
    assert len(deltas) > 3
    assert "".join(deltas) == final.choices[0].message.content == whole.choices[0].message.content
    assert final.usage is not None
    assert whole.usage is not None
    assert final.usage.total_tokens == whole.usage.total_tokens


async def test_parallel_calls_of_tools_go_there_and_back(house: Official, form: str) -> None:
    house.fakes[form].queue(TWO)
    asked: Any = {"model": f"{form}/fake-small", "tools": [LOOK, LOOSE]}
    first = await house.client.chat.completions.create(messages=said("go"), parallel_tool_calls=True, **asked)
    calls: Any = first.choices[0].message.tool_calls
    assert first.choices[0].finish_reason == "tool_calls"
    assert [(call.id, call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("call_1", "look", {"at": "sea"}),
        ("call_2", "ask", {"whom": "you"}),
    ]
    results = [{"role": "tool", "tool_call_id": call.id, "content": f"of {call.id}"} for call in calls]
    messages: Any = [*said("go"), first.choices[0].message, *results]
    second = await house.client.chat.completions.create(messages=messages, **asked)
    assert (second.choices[0].message.content or "").endswith("of call_2")


async def test_calls_of_tools_are_streamed(house: Official, form: str) -> None:
    house.fakes[form].queue(TWO)
    stream = house.client.chat.completions.stream(model=f"{form}/fake-small", messages=said("go"), tools=[LOOK])
    async with stream as events:
        done = [event async for event in events if event.type == "tool_calls.function.arguments.done"]
        final: Any = await events.get_final_completion()
    assert [(event.name, json.loads(event.arguments)) for event in done] == [
        ("look", {"at": "sea"}),
        ("ask", {"whom": "you"}),
    ]
    assert [call.id for call in final.choices[0].message.tool_calls] == ["call_1", "call_2"]
    assert final.choices[0].finish_reason == "tool_calls"


async def test_an_answer_is_parsed_by_its_schema(house: Official, form: str) -> None:
    answer = await house.client.chat.completions.parse(
        model=f"{form}/fake-small", messages=said("a city"), response_format=City
    )
    assert answer.choices[0].message.parsed == City(name="", people=0)


async def test_pictures_are_handed_on(house: Official, form: str) -> None:
    content = [{"type": "text", "text": "what is it"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    answer = await house.client.chat.completions.create(model=f"{form}/fake-small", messages=said(content))
    assert (answer.choices[0].message.content or "").startswith("You said: what is it")
    assert PIXEL.partition(",")[2] in json.dumps(house.sent(form))


async def test_texts_are_embedded_and_models_listed(house: Official, form: str) -> None:
    if form == "messages":
        with pytest.raises(openai.BadRequestError, match="does not embed"):
            await house.client.embeddings.create(model=f"{form}/fake-small", input="a")
    else:
        embedded = await house.client.embeddings.create(model=f"{form}/fake-embed", input=["a", "b"])
        assert [len(item.embedding) for item in embedded.data] == [8, 8]
    assert {model.id async for model in house.client.models.list()} >= {f"{form}/fake-small", f"{form}/fake-large"}
    assert (await house.client.models.retrieve(f"{form}/fake-small")).owned_by == form


async def test_it_is_in_the_ledger_under_its_provider(house: Official, form: str) -> None:
    run = house.as_run(f"{form}/fake-small")
    await run.chat.completions.create(model=f"{form}/fake-small", messages=said("hi"))
    async with run.chat.completions.stream(model=f"{form}/fake-small", messages=said("hi")) as stream:
        await stream.get_final_completion()
    from router.store.ledger import Filter

    rows = await house.rig.app.ledger.rows(Filter(), after=None, limit=2)
    assert [(row.provider, row.run, row.output_tokens, row.outcome) for row in rows] == [
        (f"providers/{form}", "runs/r1", 5, "answered")
    ] * 2
