"""A call that its model cannot answer is refused before it is made: for what is known alone, never for a guess."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.ask import CHAT, EMBEDDINGS, Ask
from router.model import Health, Model, Profile
from router.needs import check, lacks, needs
from router.room import counted_excess, excess, least
from signet.v1 import providers_pb2 as pb
from tests.fakes.llamacpp import FakeLlamaCpp
from tests.fakes.provider import FakeProvider
from tests.fakes.vllm import FakeVLLM
from tests.unit.router.rig import add, rig

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "c", "schema": {"type": "object"}}}
ALL = Profile(tools=True, images=True, json_schema=True, reasoning=True, embeddings=True)
NONE = Profile(tools=False, images=False, json_schema=False, reasoning=False, embeddings=False)


def said(content: Any = "hi", **fields: Any) -> Ask:
    body = {"model": "m", "messages": [{"role": "user", "content": content}], **fields}
    return Ask(CHAT, "m", body, len(json.dumps(body)), stream=False, include_usage=False)


def named(name: str, profile: Profile) -> Model:
    return Model(name, "p", name, profile, "", Health())


EMBED = Ask(EMBEDDINGS, "m", {"input": "x"}, 20, stream=False, include_usage=False)


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (said(), set()),
        (said(tools=[TOOL]), {"tools"}),
        (said(functions=[{"name": "look"}]), {"tools"}),
        (said(tools=[]), set()),
        (said([{"type": "text", "text": "hi"}]), set()),
        (said([{"type": "text", "text": "hi"}, PICTURE]), {"images"}),
        (said(response_format=SCHEMA), {"json_schema"}),
        (said(response_format={"type": "json_object"}), set()),
        (said(response_format={"type": "text"}), set()),
        (said(reasoning_effort="high"), {"reasoning"}),
        (said(reasoning_effort="none"), set()),
        (said(reasoning={"effort": "low"}), {"reasoning"}),
        (said(reasoning={"exclude": True}), set()),
        (said([PICTURE], tools=[TOOL], response_format=SCHEMA), {"tools", "images", "json_schema"}),
        (EMBED, {"embeddings"}),
    ],
)
def test_what_a_call_needs_is_read_from_its_body(ask: Ask, expected: set[str]) -> None:
    assert needs(ask) == expected


@pytest.mark.parametrize("need", ["tools", "images", "json_schema", "reasoning", "embeddings"])
def test_only_what_is_known_to_be_missing_is_lacking(need: str) -> None:
    assert lacks(NONE, {need}) == (need,)
    assert lacks(Profile(), {need}) == ()
    assert lacks(ALL, {need}) == ()


def test_a_refusal_names_the_models_that_can() -> None:
    models = [named("p/sees", ALL), named("p/unsure", Profile()), named("p/blind", NONE)]
    refusal = check(said([PICTURE]), models[2], models)
    assert refusal is not None
    assert refusal.message == "models/p/blind cannot see images; models that can: models/p/sees"
    assert (refusal.status, refusal.param) == (400, "messages")


def test_a_refusal_of_two_things_names_both_and_models_that_can_do_both() -> None:
    models = [named("p/a", Profile(tools=True, images=False)), named("p/b", ALL), named("p/none", NONE)]
    refusal = check(said([PICTURE], tools=[TOOL]), models[2], models)
    assert refusal is not None
    assert refusal.message == "models/p/none cannot call tools and cannot see images; models that can: models/p/b"
    assert refusal.param == "tools"


def test_where_no_model_can_nothing_is_proposed_and_of_many_five_are() -> None:
    refusal = check(said(tools=[TOOL]), named("p/none", NONE), [named("p/unsure", Profile())])
    assert refusal is not None
    assert refusal.message.endswith("no model that is known can: see `signet model list`")
    many = [named(f"p/m{number}", ALL) for number in range(7)]
    refusal = check(said(tools=[TOOL]), named("p/none", NONE), many)
    assert refusal is not None
    assert refusal.message.endswith("models/p/m4 and 2 more")


@pytest.mark.parametrize("ask", [said(), said(tools=[TOOL]), said([PICTURE], response_format=SCHEMA), EMBED])
def test_a_model_of_which_nothing_is_known_is_refused_nothing(ask: Ask) -> None:
    assert check(ask, named("p/m", Profile())) is None


def test_a_request_with_more_words_than_the_context_has_tokens_is_refused() -> None:
    model = named("p/m", Profile(context_tokens=100))
    assert check(said("x " * 99), model) is None
    refusal = check(said("word " * 101), model)
    assert refusal is not None
    assert refusal.code == "context_length_exceeded"
    assert refusal.message == "the request has at least 101 tokens, and models/p/m takes 100, its answer included"
    assert check(said("word " * 100), model) is None


def test_what_the_model_could_take_bounds_where_nobody_said_what_it_is_served_with() -> None:
    assert excess(said("word " * 101), named("p/m", Profile(model_tokens=100))) is not None
    assert excess(said("word " * 101), named("p/m", Profile(200, model_tokens=100))) is None
    assert excess(said("word " * 10_000), named("p/m", Profile())) is None


def test_texts_without_spaces_are_bounded_too_and_what_is_no_text_does_not_count() -> None:
    assert least(said("長" * 1280)) == 10
    assert least(said([{"type": "text", "text": "a b"}, PICTURE, {"type": "text", "text": "c"}])) == 3
    assert least(said(" " * 10_000)) == 0
    assert least(said(None)) == 0


@settings(deadline=None)
@given(st.text(alphabet="abc \n\t長-=1", max_size=400))
def test_the_bound_is_below_what_any_encoding_by_words_or_characters_makes_of_it(text: str) -> None:
    pieces = [piece for word in text.split() for piece in cut(word, 128)]  # the longest tokens that there could be
    assert least(said(text)) <= len(pieces)


def test_a_long_text_is_counted_in_pieces_and_no_further_than_it_has_to_be() -> None:
    assert 99_000 < least(said("word " * 100_000)) <= 100_000
    assert 100 < least(said("word " * 100_000), 100) < 20_000
    assert least(said("x" * 1_000_000)) <= 1_000_000 // 128


def cut(word: str, size: int) -> list[str]:
    return [word[start : start + size] for start in range(0, len(word), size)]


@pytest.mark.parametrize("kind", ["VLLM", "LLAMACPP", "OPENAI"])
async def test_where_it_is_in_doubt_the_tokenizer_of_the_provider_is_asked(tmp_path: Path, kind: str) -> None:
    """The fakes count words; the ask has 300 letters in 60 of them, for a context of 50 and of 70."""
    fakes: Mapping[str, type[FakeProvider]] = {"VLLM": FakeVLLM, "LLAMACPP": FakeLlamaCpp, "OPENAI": FakeProvider}
    ask = said("abcd " * 60)
    async with rig(tmp_path / "home") as running, fakes[kind]() as fake:
        await add(running, fake, "it", kind=pb.ProviderKind.Value(f"PROVIDER_KIND_{kind}"))
        provider = running.app.fleet.provider("it")
        small = await counted_excess(ask, named(fake.models[0], Profile(50)), provider)
        large = await counted_excess(ask, named(fake.models[0], Profile(70)), provider)
        fake.probed.clear()
        assert await counted_excess(said("hi"), named(fake.models[0], Profile(70)), provider) is None
        assert not fake.probed  # what fits for sure costs no question
    assert large is None
    if kind == "OPENAI":
        assert small is None
    else:
        assert small is not None
        assert small.message.startswith("the request has 6")


async def test_a_newer_llama_cpp_counts_the_request_itself(tmp_path: Path) -> None:
    async with rig(tmp_path / "home") as running, FakeLlamaCpp(counts=True) as fake:
        await add(running, fake, "it", kind=pb.PROVIDER_KIND_LLAMACPP)
        provider: Any = running.app.fleet.provider("it")
        assert await provider.count(said("hi"), fake.models[0]) == 77
