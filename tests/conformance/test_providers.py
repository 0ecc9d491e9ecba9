"""What every provider does, seen through the door by the official OpenAI client: the fake, and the real models."""

import asyncio
import base64
import struct
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
import pytest_asyncio

from signet.kit import dial
from signet.kit.home import Home
from signet.v1 import providers_pb2 as pb
from signet.v1.providers_pb2_grpc import ProviderServiceStub
from tests.fakes import tokens as fake_tokens
from tests.fakes.provider import FakeProvider
from tests.fakes.tokens import FakeTokens
from tests.harness.process import Process
from tests.unit.router.rig import OPERATOR, free_port, sign

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class House:
    """A router process with both providers, and the official client of its door."""

    home: Home
    official: openai.AsyncOpenAI

    def client(self, token: str = OPERATOR) -> openai.AsyncOpenAI:
        """Give the client with a token."""
        return self.official.with_options(api_key=token)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sg-")))
        home = Home(root / "d")
        home.prepare()
        await stack.enter_async_context(
            fake_tokens.serving(home.socket("control.sock"), FakeTokens({OPERATOR: "OPERATOR"}))
        )
        fake = await stack.enter_async_context(FakeProvider(context_words=4000))
        port = free_port()
        options = ["--set", f"door_port={port}", "--set", "port=0"]
        await stack.enter_async_context(Process(root, "router", "--data", str(home.root), *options))
        channel = await stack.enter_async_context(dial.channel(home.target("router.sock"), OPERATOR))
        stub = ProviderServiceStub(channel)
        provider = pb.Provider(name="providers/fake", base_url=fake.base_url)
        await stub.CreateProvider(pb.CreateProviderRequest(provider=provider))
        await stub.CheckProvider(pb.CheckProviderRequest(name="providers/fake"))
        official = openai.AsyncOpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key=OPERATOR, max_retries=0, timeout=120
        )
        yield House(home, await stack.enter_async_context(official))


@dataclass(frozen=True)
class Subject:
    """A provider's models."""

    chat: str
    embeddings: str


@pytest.fixture(params=[Subject("fake/fake-small", "fake/fake-embed"), Subject("embedded/smollm2", "embedded/e5")],
                ids=["fake", "embedded"])  # fmt: skip
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.param
    return found


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


async def test_its_models_are_listed(house: House, subject: Subject) -> None:
    listed = {model.id async for model in house.client().models.list()}
    assert {subject.chat, subject.embeddings} <= listed
    assert (await house.client().models.retrieve(subject.chat)).id == subject.chat


async def test_a_chat_is_answered_and_counted(house: House, subject: Subject) -> None:
    raw = await house.client().chat.completions.with_raw_response.create(
        model=subject.chat, messages=said("Say hello to everybody"), max_tokens=12
    )
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 0
    assert 'estimated":false' in raw.headers["x-signet-usage"]


async def test_an_answer_ends_at_max_tokens(house: House, subject: Subject) -> None:
    answer = await house.client().chat.completions.create(
        model=subject.chat, messages=said("Count from one to one hundred, in words, with commas"), max_tokens=3
    )
    assert answer.choices[0].finish_reason == "length"


async def test_a_stream_tells_the_same_as_an_answer(house: House, subject: Subject) -> None:
    messages = said("What is the sea? Answer in one sentence.")
    asked: Any = {"model": subject.chat, "messages": messages, "max_tokens": 16, "temperature": 0, "seed": 1}
    whole = await house.client().chat.completions.create(**asked)
    text, finish = "", ""
    async for chunk in await house.client().chat.completions.create(stream=True, **asked):
        assert len(chunk.choices) == 1  # nobody asked for the event that has none
        text += chunk.choices[0].delta.content or ""
        finish = chunk.choices[0].finish_reason or finish
    assert text == whole.choices[0].message.content
    assert finish == whole.choices[0].finish_reason


async def test_a_stream_tells_its_usage_to_whoever_asks(house: House, subject: Subject) -> None:
    stream = await house.client().chat.completions.create(
        model=subject.chat, messages=said("hi"), max_tokens=4, stream=True, stream_options={"include_usage": True}
    )
    usages = [chunk.usage async for chunk in stream if chunk.usage]
    assert len(usages) == 1
    assert usages[0].prompt_tokens > 0


async def test_embeddings_tell_texts_apart_in_either_encoding(house: House, subject: Subject) -> None:
    client = house.client()
    texts = ["the cat sat on the mat", "stock prices fell", "the cat sat on the mat"]
    decoded = (await client.embeddings.create(model=subject.embeddings, input=texts)).data  # the client asks for base64
    floats = await client.embeddings.create(model=subject.embeddings, input=texts, encoding_format="float")
    assert [item.index for item in decoded] == [0, 1, 2]
    assert decoded[0].embedding == pytest.approx(decoded[2].embedding, abs=1e-5)
    assert decoded[0].embedding != pytest.approx(decoded[1].embedding, abs=1e-2)
    for one, other in zip(decoded, floats.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-5)
    packed = await client.embeddings.create(model=subject.embeddings, input="x", encoding_format="base64")
    raw: Any = packed.data[0].embedding
    assert len(struct.unpack(f"<{len(base64.b64decode(raw)) // 4}f", base64.b64decode(raw))) == len(
        (await client.embeddings.create(model=subject.embeddings, input="x")).data[0].embedding
    )


async def test_a_prompt_beyond_the_context_is_told_as_that(house: House, subject: Subject) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await house.client().chat.completions.create(model=subject.chat, messages=said("word " * 9000))
    assert caught.value.code == "context_length_exceeded"


async def test_many_calls_at_once_are_all_answered(house: House, subject: Subject) -> None:
    client = house.client()
    answers = await asyncio.gather(*(
        client.chat.completions.create(model=subject.chat, messages=said(f"Say {turn}"), max_tokens=4)
        for turn in range(6)
    ))  # fmt: skip
    assert all(answer.choices[0].message.content for answer in answers)


async def test_callers_that_leave_free_their_places(house: House, subject: Subject) -> None:
    client = house.client()
    for _ in range(4):
        stream = await client.chat.completions.create(
            model=subject.chat, messages=said("Write a very long story about the sea"), stream=True
        )
        async for _ in stream:
            break
        await stream.close()
    answer = await client.chat.completions.create(model=subject.chat, messages=said("hi"), max_tokens=2, timeout=30)
    assert answer.choices[0].message.content


async def test_errors_are_those_the_client_knows(house: House, subject: Subject) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await house.client().chat.completions.create(model=f"{subject.chat}-xl", messages=said("hi"))
    assert subject.chat in unknown.value.message
    with pytest.raises(openai.AuthenticationError):
        await house.client("sgt_wrong").chat.completions.create(model=subject.chat, messages=said("hi"))
    narrow = house.client(sign(house.home, "fake/fake-large"))
    with pytest.raises(openai.PermissionDeniedError) as denied:
        await narrow.chat.completions.create(model=subject.chat, messages=said("hi"))
    assert denied.value.code == "model_not_allowed"
    with pytest.raises(openai.BadRequestError):
        await house.client().chat.completions.create(model=subject.chat, messages=[])
    own = house.client(sign(house.home, subject.chat))
    assert (await own.chat.completions.create(model=subject.chat, messages=said("hi"), max_tokens=2)).choices


async def test_the_client_gets_tool_calls_and_hands_back_results(house: House) -> None:
    client = house.client()
    tools: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    messages = said('CALL look {"at": "the sea"}')
    first = await client.chat.completions.create(model="fake/fake-small", messages=messages, tools=tools)
    call: Any = (first.choices[0].message.tool_calls or [])[0]
    assert (call.function.name, call.function.arguments) == ("look", '{"at": "the sea"}')
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "blue"}]
    second = await client.chat.completions.create(model="fake/fake-small", messages=messages, tools=tools)
    assert second.choices[0].message.content == "The tool said: blue"


async def test_a_model_that_cannot_call_tools_says_so(house: House) -> None:
    tools: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    with pytest.raises(openai.BadRequestError) as caught:
        await house.client().chat.completions.create(model="embedded/smollm2", messages=said("hi"), tools=tools)
    assert caught.value.param == "tools"


async def test_the_embedded_model_keeps_to_a_schema(house: House) -> None:
    schema: Any = {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"]}
    answer = await house.client().chat.completions.create(
        model="embedded/smollm2",
        messages=said("Which city is warm?"),
        max_tokens=32,
        response_format={"type": "json_schema", "json_schema": {"name": "c", "schema": schema}},
    )
    assert answer.choices[0].message.content
    assert any(city in answer.choices[0].message.content for city in ("Rome", "Oslo"))
