"""What every provider does, seen through the door by the official OpenAI client: fakes of each kind, real models."""

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from signet.v1 import providers_pb2
from tests.conformance.house import House, opened
from tests.conformance.subjects import EMBEDDED, SERVED, SUBJECTS, Subject
from tests.fakes.provider import Fault, Reply
from tests.fakes.provider.reply import PROMPT_TOKENS
from tests.unit.router.rig import sign

pytestmark = pytest.mark.asyncio(loop_scope="module")

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TOOL: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CITY: Any = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Rome", "Oslo"]}},
    "required": ["city"],
    "additionalProperties": False,
}
SCHEMA: Any = {"type": "json_schema", "json_schema": {"name": "c", "schema": CITY, "strict": True}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[House]:
    async with opened() as built:
        yield built


def given(*subjects: Subject) -> pytest.MarkDecorator:
    """Hold a test against these."""
    return pytest.mark.parametrize("subject", subjects, ids=lambda subject: subject.id)


every = given(*SUBJECTS)
served = given(*SERVED)
chatting = given(*(subject for subject in SERVED if subject.chats))


def able(what: str) -> pytest.MarkDecorator:
    """Hold a test against those whose chat model can do something."""
    return given(*(subject for subject in SUBJECTS if what in subject.can))


def unable(what: str) -> pytest.MarkDecorator:
    """Hold a test against those whose chat model cannot."""
    return given(*(subject for subject in SUBJECTS if what not in subject.can))


def said(content: Any) -> Any:
    return [{"role": "user", "content": content}]


def picture(text: str = "what is it") -> Any:
    url = {"url": f"data:image/png;base64,{PIXEL}"}
    return said([{"type": "text", "text": text}, {"type": "image_url", "image_url": url}])


async def first(stream: Any) -> Any:
    """Give a stream's first chunk, once it came to its end."""
    chunks = [chunk async for chunk in stream]
    return chunks[0]


def told(raw: Any) -> Any:
    return json.loads(raw.headers["x-signet-usage"])


@every
async def test_its_models_are_listed(house: House, subject: Subject) -> None:
    listed = {model.id async for model in house.client().models.list()}
    names = {subject.model(), *([subject.model(subject.embeddings)] if subject.embeddings else [])}
    assert names <= listed
    assert (await house.client().models.retrieve(subject.model())).id == subject.model()


@every
async def test_nothing_is_said_to_be_missing_that_it_can_do(house: House, subject: Subject) -> None:
    profile = await house.profile(subject.model())
    missing = {name for name in ("tools", "images", "json_schema", "reasoning")
               if profile.HasField(name) and not getattr(profile, name)}  # fmt: skip
    assert not missing & subject.can


@every
async def test_a_chat_is_answered_and_counted(house: House, subject: Subject) -> None:
    raw = await house.client().chat.completions.with_raw_response.create(
        model=subject.model(), messages=said("Say hello to everybody"), max_tokens=12
    )
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == told(raw)["input_tokens"] > 0
    assert told(raw)["estimated"] is False
    if subject.make is not None:
        assert told(raw)["input_tokens"] == PROMPT_TOKENS


@every
@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_an_answer_ends_where_it_is_bounded_in_either_word(house: House, subject: Subject, limit: str) -> None:
    asked: Any = {limit: 3}
    answer = await house.client().chat.completions.create(
        model=subject.model(), messages=said("Count from one to one hundred, in words, with commas"), **asked
    )
    assert answer.choices[0].finish_reason == "length"


@every
async def test_a_stream_tells_the_same_as_an_answer(house: House, subject: Subject) -> None:
    messages = said("What is the sea? Answer in one sentence.")
    asked: Any = {"model": subject.model(), "messages": messages, "max_tokens": 16, "temperature": 0, "seed": 1}
    whole = await house.client().chat.completions.create(**asked)
    text, finish = "", ""
    async for chunk in await house.client().chat.completions.create(stream=True, **asked):
        assert len(chunk.choices) == 1  # nobody asked for the event that has none
        text += chunk.choices[0].delta.content or ""
        finish = chunk.choices[0].finish_reason or finish
    assert text == whole.choices[0].message.content
    assert finish == whole.choices[0].finish_reason


@every
async def test_a_stream_tells_its_usage_to_whoever_asks(house: House, subject: Subject) -> None:
    stream = await house.client().chat.completions.create(
        model=subject.model(), messages=said("hi"), max_tokens=4, stream=True, stream_options={"include_usage": True}
    )
    usages = [chunk.usage async for chunk in stream if chunk.usage]
    assert len(usages) == 1
    assert usages[0].prompt_tokens > 0


@given(*(subject for subject in SUBJECTS if subject.embeddings))
async def test_embeddings_tell_texts_apart_in_either_encoding(house: House, subject: Subject) -> None:
    client, model = house.client(), subject.model(subject.embeddings)
    texts = ["the cat sat on the mat", "stock prices fell", "the cat sat on the mat"]
    decoded = (await client.embeddings.create(model=model, input=texts)).data  # the client asks for base64
    floats = await client.embeddings.create(model=model, input=texts, encoding_format="float")
    assert [item.index for item in decoded] == [0, 1, 2]
    assert decoded[0].embedding == pytest.approx(decoded[2].embedding, abs=1e-5)
    assert decoded[0].embedding != pytest.approx(decoded[1].embedding, abs=1e-2)
    for one, other in zip(decoded, floats.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-5)
    packed = await client.embeddings.create(model=model, input="x", encoding_format="base64")
    raw: Any = packed.data[0].embedding
    assert len(struct.unpack(f"<{len(base64.b64decode(raw)) // 4}f", base64.b64decode(raw))) == len(
        (await client.embeddings.create(model=model, input="x")).data[0].embedding
    )


@given(*(subject for subject in SUBJECTS if not subject.embeddings or subject is EMBEDDED))
async def test_a_model_that_does_not_embed_is_not_asked_to(house: House, subject: Subject) -> None:
    with pytest.raises(openai.BadRequestError):
        await house.client().embeddings.create(model=subject.model(), input="x")


@every
async def test_a_prompt_beyond_the_context_is_told_as_that(house: House, subject: Subject) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await house.client().chat.completions.create(model=subject.model(), messages=said("word " * 9000))
    assert caught.value.code == "context_length_exceeded"


@every
async def test_many_calls_at_once_are_all_answered(house: House, subject: Subject) -> None:
    client = house.client()
    answers = await asyncio.gather(*(
        client.chat.completions.create(model=subject.model(), messages=said(f"Say {turn}"), max_tokens=4)
        for turn in range(6)
    ))  # fmt: skip
    assert all(answer.choices[0].message.content for answer in answers)


@every
async def test_callers_that_leave_free_their_places(house: House, subject: Subject) -> None:
    client = house.client()
    for _ in range(4):
        stream = await client.chat.completions.create(
            model=subject.model(), messages=said("Write a very long story about the sea"), stream=True
        )
        async for _ in stream:
            break
        await stream.close()
    answer = await client.chat.completions.create(model=subject.model(), messages=said("hi"), max_tokens=2, timeout=30)
    assert answer.choices[0].message.content


@served
async def test_a_caller_that_leaves_leaves_no_stream_running_behind_it(house: House, subject: Subject) -> None:
    async with house.fresh(subject) as (model, fake):
        fake.queue(Reply("word " * 5000, delay_seconds=0.02))
        stream = await house.client().chat.completions.create(model=model, messages=said("hi"), stream=True)
        async for _ in stream:
            break
        await stream.close()
        await fake.hung_up()


@every
async def test_errors_are_those_the_client_knows(house: House, subject: Subject) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await house.client().chat.completions.create(model=f"{subject.model()}-xl", messages=said("hi"))
    assert subject.model() in unknown.value.message
    with pytest.raises(openai.AuthenticationError):
        await house.client("sgt_wrong").chat.completions.create(model=subject.model(), messages=said("hi"))
    narrow = house.client(sign(house.home, "openai/fake-large"))
    with pytest.raises(openai.PermissionDeniedError) as denied:
        await narrow.chat.completions.create(model=subject.model(), messages=said("hi"))
    assert denied.value.code == "model_not_allowed"
    with pytest.raises(openai.BadRequestError):
        await house.client().chat.completions.create(model=subject.model(), messages=[])
    own = house.client(sign(house.home, subject.model()))
    assert (await own.chat.completions.create(model=subject.model(), messages=said("hi"), max_tokens=2)).choices


@served
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, openai.BadRequestError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
async def test_a_provider_that_refuses_is_told_as_that(
    house: House, subject: Subject, status: int, expected: type[openai.APIStatusError]
) -> None:
    async with house.fresh(subject) as (model, fake):
        fake.queue(Reply(status=status, error={"message": "the server says no"}))
        with pytest.raises(expected):
            await house.client().chat.completions.create(model=model, messages=said("hi"))
        assert len(fake.asked) == 1  # a refusal is not tried again where it came from


@served
async def test_a_key_that_is_refused_is_told_and_not_shown(house: House, subject: Subject) -> None:
    async with house.fresh(subject, key="sk-right-key-of-the-tests") as (model, fake):
        assert (await house.client().chat.completions.create(model=model, messages=said("hi"))).choices
        fake.key = "sk-another"
        with pytest.raises(openai.InternalServerError) as caught:
            await house.client().chat.completions.create(model=model, messages=said("hi"))
    assert "refused the key" in caught.value.message
    assert "sk-right-key-of-the-tests" not in str(caught.value.body)


@served
async def test_a_stream_that_breaks_is_an_error_and_never_an_end(house: House, subject: Subject) -> None:
    async with house.fresh(subject) as (model, fake):
        fake.queue(Reply("one two three four five six seven", fault=Fault.RESET))
        stream = await house.client().chat.completions.create(model=model, messages=said("hi"), stream=True)
        with pytest.raises(openai.APIError):
            async for _ in stream:
                pass


@served
async def test_an_error_within_a_stream_is_an_error(house: House, subject: Subject) -> None:
    async with house.fresh(subject) as (model, fake):
        fake.queue(Reply("one two three", fault=Fault.ERROR_EVENT))
        stream = await house.client().chat.completions.create(model=model, messages=said("hi"), stream=True)
        with pytest.raises(openai.APIError):
            async for _ in stream:
                pass


@able("tools")
async def test_the_client_gets_tool_calls_and_hands_back_results(house: House, subject: Subject) -> None:
    client = house.client()
    messages = said('CALL look {"at": "the sea"}')
    first = await client.chat.completions.create(model=subject.model(), messages=messages, tools=[TOOL])
    assert first.choices[0].finish_reason == "tool_calls"
    call: Any = (first.choices[0].message.tool_calls or [])[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("look", {"at": "the sea"})
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "blue"}]
    second = await client.chat.completions.create(model=subject.model(), messages=messages, tools=[TOOL])
    assert second.choices[0].message.content == "The tool said: blue"


@able("tools")
async def test_a_tool_calls_arguments_are_whole_when_they_came_in_pieces(house: House, subject: Subject) -> None:
    messages = said('CALL look {"at": "the sea", "with": ["eyes", "ü"]}')
    async with house.client().chat.completions.stream(model=subject.model(), messages=messages, tools=[TOOL]) as stream:
        final = await stream.get_final_completion()
    call: Any = (final.choices[0].message.tool_calls or [])[0]
    assert call.function.name == "look"
    assert json.loads(call.function.arguments) == {"at": "the sea", "with": ["eyes", "ü"]}
    assert final.choices[0].finish_reason == "tool_calls"


@unable("tools")
async def test_a_model_that_cannot_call_tools_says_so(house: House, subject: Subject) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await house.client().chat.completions.create(model=subject.model(), messages=said("hi"), tools=[TOOL])
    assert caught.value.param == "tools"


@able("images")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_image_reaches_the_provider_unchanged(house: House, subject: Subject, *, stream: bool) -> None:
    asked: Any = {"model": subject.model(), "messages": picture(), "stream": stream}
    await house.client().chat.completions.create(**asked)
    sent = json.dumps(house.fakes[subject.id].asked[-1].body)
    assert PIXEL in sent
    assert "image/png" in sent
    if subject.chats:
        assert house.fakes[subject.id].asked[-1].body["messages"] == picture()


@unable("images")
async def test_a_model_that_cannot_see_is_not_shown_images(house: House, subject: Subject) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await house.client().chat.completions.create(model=subject.model(), messages=picture())
    assert "cannot see images; models that can: models/" in caught.value.message


@able("json_schema")
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_keeps_to_a_schema(house: House, subject: Subject, *, stream: bool) -> None:
    asked: Any = {"model": subject.model(), "messages": said("Which city is warm?"), "max_tokens": 32,
                  "response_format": SCHEMA}  # fmt: skip
    if stream:
        text = ""
        async for chunk in await house.client().chat.completions.create(stream=True, **asked):
            text += chunk.choices[0].delta.content or ""
    else:
        text = (await house.client().chat.completions.create(**asked)).choices[0].message.content or ""
    assert json.loads(text)["city"] in ("Rome", "Oslo")


@able("reasoning")
async def test_what_it_thought_stands_beside_what_it_says(house: House, subject: Subject) -> None:
    answer = await house.client().chat.completions.create(
        model=subject.model(), messages=said("THINK deeply of the sea"), reasoning_effort="high"
    )
    message = answer.choices[0].message
    assert message.content == "You said: THINK deeply of the sea"
    beside = {name: value for name, value in message.to_dict().items() if name not in ("content", "role")}
    assert "deeply of the sea" in json.dumps(beside)


@able("reasoning")
async def test_what_it_thinks_comes_before_what_it_says(house: House, subject: Subject) -> None:
    thought, text = "", ""
    async for chunk in await house.client().chat.completions.create(
        model=subject.model(), messages=said("THINK deeply of the sea"), reasoning_effort="high", stream=True
    ):
        delta = chunk.choices[0].delta.to_dict()
        thinks = delta.get("reasoning_content") or delta.get("reasoning") or ""
        assert not (thinks and text), "it thinks first"
        thought += str(thinks)
        text += str(delta.get("content") or "")
    assert (thought, text) == ("deeply of the sea", "You said: THINK deeply of the sea")


@chatting
@pytest.mark.parametrize("stream", [False, True])
async def test_fields_nobody_knows_pass_both_ways(house: House, subject: Subject, *, stream: bool) -> None:
    unknown: Any = {"x_nobody": {"a": [1, None, "ü"]}}
    async with house.fresh(subject) as (model, fake):
        fake.queue(Reply("hi", fields={"x_theirs": {"b": [2.5, True]}}))
        asked: Any = {"model": model, "messages": said("hi"), "extra_body": unknown, "stream": stream}
        answer: Any = await house.client().chat.completions.create(**asked)
        found = (await first(answer)) if stream else answer
        assert fake.asked[-1].body["x_nobody"] == unknown["x_nobody"]
    assert found.to_dict()["x_theirs"] == {"b": [2.5, True]}


async def test_what_llama_cpp_says_beside_openais_form_comes_through(house: House) -> None:
    answer = await house.client().chat.completions.create(
        model=EMBEDDED.model(), messages=said("hi"), max_tokens=3, extra_body={"x_nobody": 1}
    )
    timings: Any = answer.to_dict()["timings"]
    assert timings["predicted_n"] == 3


async def test_the_real_llama_cpp_is_found_out_described_and_counts_as_it_answers(house: House) -> None:
    """The embedded model's server is llama.cpp's own, here as anybody would add it."""

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_unix_connection(house.home.socket("chat.sock"))
        await asyncio.gather(pump(reader, outer), pump(inner, writer))

    server = await asyncio.start_server(through, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        provider = providers_pb2.Provider(name="providers/real", base_url=url)
        made = await house.providers.CreateProvider(providers_pb2.CreateProviderRequest(provider=provider))
        await house.providers.CheckProvider(providers_pb2.CheckProviderRequest(name="providers/real"))
        profile = await house.profile("real/smollm2")
        asked: Any = {"model": "real/smollm2", "messages": said("one two three"), "max_tokens": 2}
        answer = await house.client().chat.completions.create(**asked)
        with pytest.raises(openai.BadRequestError) as caught:
            await house.client().chat.completions.create(**{**asked, "messages": said("Unquestionably, " * 1500)})
        await house.providers.DeleteProvider(providers_pb2.DeleteProviderRequest(name="providers/real"))
    assert made.provider.kind == providers_pb2.PROVIDER_KIND_LLAMACPP
    assert (profile.context_tokens, profile.model_tokens, profile.images, profile.json_schema) == (
        4096,
        8192,
        False,
        True,
    )
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 2
    assert caught.value.code == "context_length_exceeded"
    assert "at least" not in caught.value.message  # its own tokenizer counted


@given(EMBEDDED)
async def test_a_prompt_of_few_long_words_is_counted_by_the_model_itself(house: House, subject: Subject) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await house.client().chat.completions.create(
            model=subject.model(), messages=said("Unquestionably, " * 1500), max_tokens=2
        )
    assert caught.value.code == "context_length_exceeded"
    assert "at least" not in caught.value.message


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until there is no more."""
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()
