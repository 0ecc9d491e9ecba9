"""Whatever a server answers when it is asked about itself, it is read without a fault, and nonsense is unknown."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model import Health, Profile, Spec
from router.options import RouterOptions
from router.providers.contract import Parts
from router.providers.detect import Tells, kind
from router.providers.llamacpp import LlamaCpp
from router.providers.lmstudio import LMStudio
from router.providers.manner import Manner, Plain
from router.providers.ollama import Ollama
from router.providers.openai import OpenAI, models
from router.providers.openrouter import OpenRouter, price
from router.providers.reader import Reader, ask
from router.providers.vllm import VLLM
from router.redaction.redactor import Redactor
from router.wire import Answer, Fault, Request, Target, WireError
from signet.kit.log import get

NAMES = (
    "id", "name", "models", "data", "capabilities", "model_info", "general.architecture", "parameters", "digest", "key",
    "context_length", "type", "state", "max_context_length", "loaded_context_length", "loaded_instances", "config",
    "default_generation_settings", "n_ctx", "modalities", "vision", "chat_template_caps", "meta", "n_ctx_train",
    "architecture", "input_modalities", "pricing", "prompt", "completion", "supported_parameters", "max_model_len",
    "parent", "top_provider", "input_tokens", "count", "tokens", "version", "owned_by",
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(NAMES)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=24,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6), max_size=4)


@dataclass
class Said:
    """An answer that is the same to every question."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    at: int = 0

    async def read(self) -> bytes:
        start, self.at = self.at, self.at + (1 << 20)
        return self.body[start : self.at]

    async def flow(self, take: Callable[[bytes], bool]) -> None:
        while piece := await self.read():
            if not take(piece):
                return

    async def aclose(self) -> None:
        """Nothing is held."""


@dataclass
class Wire:
    """Answers every question alike."""

    body: bytes

    async def open(self, target: Target, request: Request) -> Answer:
        del target, request
        return Said(self.body)

    async def aclose(self) -> None:
        """Nothing is held."""


def reader(body: bytes) -> Reader:
    return Reader(Wire(body), Target("http://it/v1"))


@pytest.mark.parametrize("make", [Plain, Ollama, LMStudio, LlamaCpp, VLLM, OpenRouter])
@settings(deadline=None)
@given(value=VALUES, listed=ROWS)
async def test_nothing_that_a_server_tells_of_its_models_is_a_fault(
    make: type[Manner], value: Any, listed: list[dict[str, Any]]
) -> None:
    asked = reader(json.dumps(value).encode())
    manner = make()
    facts = await manner.facts(asked, [{"id": "m", **row} for row in listed], ["m", "n"])
    for fact in facts.values():
        assert isinstance(fact.profile, Profile)
        assert 0 <= fact.profile.context_tokens < 1 << 31
    counted = await manner.count(asked, {"messages": []}, "m")
    assert counted is None or counted >= 0
    assert isinstance(await manner.health(asked), Health)


@settings(deadline=None)
@given(st.binary(max_size=64) | VALUES.map(lambda value: json.dumps(value).encode()))
async def test_an_answer_that_is_no_json_tells_nothing(body: bytes) -> None:
    listed = models(body)
    assert listed is None or all(isinstance(row["id"], str) for row in listed)
    await reader(body).own("/x")


@settings(deadline=None)
@given(VALUES, VALUES, VALUES, ROWS)
def test_whatever_is_answered_a_kind_is_found(one: Any, two: Any, three: Any, listed: list[dict[str, Any]]) -> None:
    assert kind(Tells(listed, one, two, three, one)) in {
        "OPENAI", "OLLAMA", "LMSTUDIO", "LLAMACPP", "VLLM", "OPENROUTER"
    }  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["prompt", "completion", "request", "input_cache_read"]), LEAVES))
def test_a_price_that_is_none_is_unknown_and_never_negative(said: dict[str, Any]) -> None:
    found = price(said)
    for rate in (found.input_microusd_per_million, found.output_microusd_per_million, found.call_microusd):
        assert rate is None or rate >= 0
    assert found.known() == ((found.input_microusd_per_million is not None) and found.source == "openrouter")


async def test_an_answer_beyond_the_bound_is_not_read_to_its_end() -> None:
    said = await ask(Wire(b"[" * (5 << 20)), Target("http://it"), Request("/models"), 1 << 20)
    assert not said.whole
    assert said.body == b""


@dataclass
class Flaky:
    """Answers by path; what is in `silent` cannot be reached."""

    answers: Mapping[str, Any]
    silent: frozenset[str] = frozenset()

    async def open(self, target: Target, request: Request) -> Answer:
        del target
        if request.path in self.silent:
            raise WireError(Fault.UNREACHABLE, "gone")
        value = self.answers.get(request.path)
        return Said(b"", 404) if value is None else Said(json.dumps(value).encode())

    async def aclose(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("silent", ["/api/tags", "/api/ps", "/api/show"])
async def test_a_question_without_an_answer_makes_nobody_forget_what_was_told_before(silent: str) -> None:
    """A model's digest would be another one without its weights', and a run under it another agent's."""
    wire = Flaky({
        "/models": {"data": [{"id": "m:1"}]},
        "/api/tags": {"models": [{"name": "m:1", "digest": "d1"}]},
        "/api/ps": {"models": [{"name": "m:1", "context_length": 4096}]},
        "/api/show": {"capabilities": ["completion", "tools"]},
    })  # fmt: skip
    parts = Parts(wire, RouterOptions(), None, Redactor(), get("test"))
    provider = OpenAI(Spec("it", "OLLAMA", "http://it/v1"), parts, Ollama)
    await provider.check()
    before = provider.model("m:1")
    wire.silent = frozenset({silent})
    await provider.check()
    assert provider.model("m:1") == before
    assert before.profile.tools
    assert before.profile.context_tokens == 4096


async def test_json_that_is_nested_too_deeply_tells_nothing() -> None:
    assert await reader(b"[" * 100_000).own("/props") is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"prompt": "0.0000002", "completion": "0.0000006"}, (200_000, 600_000)),
        ({"prompt": "0", "completion": "0"}, (0, 0)),
        ({"prompt": "-1", "completion": "-1"}, (None, None)),
        ({"prompt": "0.1"}, (None, None)),
        ({"prompt": "nan", "completion": "1"}, (None, None)),
        ({"prompt": "1e9", "completion": "0"}, (None, None)),
        ({"prompt": "0.00000000000013", "completion": "0"}, (1, 0)),  # rounded up: never less than it is
    ],
)
def test_prices_are_read_from_dollars_for_a_token(
    said: dict[str, Any], expected: tuple[int | None, int | None]
) -> None:
    found = price(said)
    assert (found.input_microusd_per_million, found.output_microusd_per_million) == expected
