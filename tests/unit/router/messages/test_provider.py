"""A provider that speaks the Messages API: reached in its own way, asked for its models and for counts."""

import gc
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from router.ask import CHAT, Ask, parse
from router.dialects.forms import face
from router.http.client import Client
from router.http.limits import Limits
from router.model import Spec, State
from router.options import RouterOptions
from router.providers import PROVIDERS
from router.providers.anthropic import Anthropic
from router.providers.contract import Parts
from router.providers.reader import Reader
from router.redaction.redactor import Redactor
from signet.kit import log
from tests.fakes.anthropic import EARLIER, FakeAnthropic

HI = [{"role": "user", "content": "one two three"}]
KEY = "sk-ant-secret"


@pytest.fixture
async def fake() -> AsyncIterator[FakeAnthropic]:
    async with FakeAnthropic(key=KEY) as fake:
        yield fake


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    wire = Client(Limits(connections=4, connect_seconds=2))
    yield Parts(wire, RouterOptions(), None, Redactor(), log.get("test"))
    await wire.aclose()


def made(parts: Parts, base_url: str, key: str = KEY) -> Anthropic:
    provider = PROVIDERS["ANTHROPIC"](Spec("a", "ANTHROPIC", base_url, key), parts)
    assert isinstance(provider, Anthropic)
    return provider


def native(**fields: Any) -> Ask:
    body = {"model": "a/b", "max_tokens": 9, "messages": HI, "temperature": 0, **fields}
    return face("messages").parse("", json.dumps(body).encode())


def chat() -> Ask:
    return parse(CHAT, json.dumps({"model": "a/b", "messages": HI}).encode())


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1"),
        ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1"),
        ("https://api.anthropic.com/v1/", "https://api.anthropic.com/v1"),
        ("https://host/anthropic", "https://host/anthropic/v1"),
        ("", "https://api.anthropic.com/v1"),
    ],
)
async def test_its_address_may_end_in_its_version(parts: Parts, given: str, base: str) -> None:
    target, _ = await made(parts, given).target(native(), "claude", 1)
    assert target.base_url == base


async def test_its_key_goes_in_its_own_header_and_what_callers_mean_goes_with_it(parts: Parts) -> None:
    provider = made(parts, "https://host")
    target, _ = await provider.target(native(), "claude", 1)
    assert target.headers == {"anthropic-version": "2023-06-01", "x-api-key": KEY}
    beta = {"anthropic-beta": "b"}
    passed, _ = await provider.target(replace(native(), headers=beta), "claude", 1)
    assert passed.headers == {**target.headers, **beta}
    translated, _ = await provider.target(replace(chat(), headers=beta), "claude", 1)
    assert translated.headers == target.headers


async def test_all_pages_of_its_list_are_read(parts: Parts, fake: FakeAnthropic) -> None:
    for base_url in (fake.base_url, fake.origin):
        provider = made(parts, base_url)
        assert (await provider.check()).state is State.READY
        assert provider.offer().models == tuple(sorted(fake.models))
        profile = provider.model(EARLIER).profile
        assert (profile.context_tokens, profile.output_tokens, profile.tools, profile.images) == (
            200000,
            64000,
            True,
            True,
        )


async def test_a_server_that_tells_only_names_leaves_the_rest_unknown(parts: Parts, fake: FakeAnthropic) -> None:
    fake.told_capabilities = False
    provider = made(parts, fake.base_url)
    await provider.check()
    profile = provider.model(EARLIER).profile
    assert (profile.context_tokens, profile.images, profile.reasoning) == (0, None, None)


async def test_a_server_without_a_list_takes_any_name(parts: Parts, fake: FakeAnthropic) -> None:
    fake.lists_models = False
    provider = made(parts, fake.base_url)
    assert (await provider.check()).state is State.READY
    assert provider.offer().open


async def test_a_wrong_key_is_told_and_never_shown(parts: Parts, fake: FakeAnthropic) -> None:
    health = await made(parts, fake.base_url, "sk-ant-wrong").check()
    assert health.state is State.UNAVAILABLE
    assert "refused the key" in health.detail
    assert "sk-ant-wrong" not in health.detail


async def test_a_server_that_is_none_is_told(parts: Parts, fake: FakeAnthropic) -> None:
    provider = made(parts, fake.base_url)
    await fake.aclose()
    assert (await provider.check()).state is State.UNAVAILABLE


async def test_tokens_are_counted_as_the_model_does(parts: Parts, fake: FakeAnthropic) -> None:
    provider = made(parts, fake.base_url)
    exact = len(json.dumps(HI).split())
    assert await provider.count(native(system="Be brief.", stop_sequences=["X"]), EARLIER) == exact
    assert await provider.count(chat(), EARLIER)
    assert not fake.asked


async def test_what_cannot_be_counted_is_not(parts: Parts, fake: FakeAnthropic) -> None:
    provider = made(parts, fake.base_url)
    assert await provider.count(native(), "no-such-model") is None
    bad = parse(CHAT, json.dumps({"model": "a/b", "messages": HI, "n": 2}).encode())
    assert await provider.count(bad, EARLIER) is None
    embeddings = parse("/embeddings", json.dumps({"model": "a/b", "input": "x"}).encode())
    assert await provider.count(embeddings, EARLIER) is None
    await fake.aclose()
    assert await provider.count(native(), EARLIER) is None


async def test_nothing_is_kept_of_questions_that_got_no_answer(parts: Parts, fake: FakeAnthropic) -> None:
    provider = made(parts, fake.base_url)
    await fake.aclose()
    for _ in range(3):
        assert await provider.count(native(), EARLIER) is None
    assert not [each for each in gc.get_objects() if type(each) is Reader and each.missed]
