"""What servers tell of their models is known, each in its own way; what they do not tell stays unknown."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from signet.kit.errors import from_rpc
from signet.v1 import models_pb2, providers_pb2
from signet.v1.models_pb2_grpc import ModelServiceStub
from signet.v1.providers_pb2_grpc import ProviderServiceStub
from tests.fakes.llamacpp import FakeLlamaCpp
from tests.fakes.lmstudio import FakeLMStudio
from tests.fakes.ollama import FakeOllama
from tests.fakes.ollama.server import MODELS, Pulled
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.provider import Asked, FakeProvider
from tests.fakes.vllm import FakeVLLM
from tests.unit.router.rig import Rig, add, rig

KINDS: Any = providers_pb2.ProviderKind
ABILITIES = ("chat", "embeddings", "tools", "images", "json_schema", "reasoning")


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path / "home") as started:
        yield started


async def profile(running: Rig, name: str) -> models_pb2.ModelProfile:
    return (await model(running, name)).profile


async def model(running: Rig, name: str) -> models_pb2.Model:
    stub = ModelServiceStub(running.channel)
    found: models_pb2.Model = (await stub.GetModel(models_pb2.GetModelRequest(name=f"models/it/{name}"))).model
    return found


async def put(running: Rig, fake: FakeProvider, kind: str) -> None:
    await add(running, fake, "it", kind=KINDS.Value(f"PROVIDER_KIND_{kind}"))


async def check(running: Rig) -> providers_pb2.Provider:
    request = providers_pb2.CheckProviderRequest(name="providers/it")
    found: providers_pb2.Provider = (await ProviderServiceStub(running.channel).CheckProvider(request)).provider
    return found


def able(told: models_pb2.ModelProfile) -> dict[str, bool | None]:
    known = {name: getattr(told, name) for name in ABILITIES}
    return {
        name: value if name in ("chat", "embeddings") or told.HasField(name) else None for name, value in known.items()
    }


def tokens(told: models_pb2.ModelProfile) -> tuple[int, int]:
    return told.context_tokens, told.model_tokens


def words(said: str) -> dict[str, bool | None]:
    """Read `+tools -images ?reasoning`."""
    marks = {"+": True, "-": False, "?": None}
    return {word[1:]: marks[word[0]] for word in said.split()}


TOLD: list[tuple[type[FakeProvider], str, str, tuple[int, int], str]] = [
    (FakeOllama, "OLLAMA", "qwen3:8b", (4096, 40_960),
     "+chat -embeddings +tools +images +json_schema +reasoning"),
    (FakeOllama, "OLLAMA", "gemma:2b", (2048, 8192),
     "+chat -embeddings -tools -images +json_schema -reasoning"),
    (FakeOllama, "OLLAMA", "nomic-embed-text:latest", (0, 2048),
     "-chat +embeddings -tools -images -json_schema -reasoning"),
    (FakeLMStudio, "LMSTUDIO", "qwen2-vl-7b-instruct", (4096, 32_768),
     "+chat -embeddings +tools +images +json_schema ?reasoning"),
    (FakeLMStudio, "LMSTUDIO", "gemma-3-270m", (0, 32_768),
     "+chat -embeddings ?tools -images +json_schema ?reasoning"),
    (FakeLMStudio, "LMSTUDIO", "text-embedding-nomic-embed-text-v1.5", (0, 2048),
     "-chat +embeddings -tools -images -json_schema -reasoning"),
    (FakeLlamaCpp, "LLAMACPP", "qwen3-4b-q4_k_m.gguf", (8192, 40_960),
     "+chat -embeddings +tools +images +json_schema +reasoning"),
    (FakeVLLM, "VLLM", "Qwen/Qwen3-8B", (32_768, 0),
     "+chat -embeddings ?tools ?images +json_schema ?reasoning"),
    (FakeVLLM, "VLLM", "sql-adapter", (32_768, 0),
     "+chat -embeddings ?tools ?images +json_schema ?reasoning"),
    (FakeOpenRouter, "OPENROUTER", "qwen/qwen3-vl", (131_072, 0),
     "+chat -embeddings +tools +images +json_schema +reasoning"),
    (FakeOpenRouter, "OPENROUTER", "meta/llama-3-8b:free", (8192, 0),
     "+chat -embeddings -tools -images -json_schema -reasoning"),
]  # fmt: skip


@pytest.mark.parametrize("row", TOLD, ids=lambda row: row[2])
async def test_what_a_server_tells_is_known(running: Rig, row: Any) -> None:
    fake, kind, name, sizes, said = row
    async with fake() as served:
        await put(running, served, kind)
        told = await profile(running, name)
    assert able(told) == words(said)
    assert tokens(told) == sizes


async def test_a_newer_lm_studio_tells_the_same_in_its_newer_form(running: Rig) -> None:
    async with FakeLMStudio(version=1) as fake:
        await put(running, fake, "LMSTUDIO")
        seen = await profile(running, "qwen2-vl-7b-instruct")
        small = await profile(running, "gemma-3-270m")
    assert able(seen) == words("+chat -embeddings +tools +images +json_schema ?reasoning")
    assert tokens(seen) == (4096, 32_768)
    assert able(small) == words("+chat -embeddings ?tools -images +json_schema ?reasoning")


async def test_a_model_that_calls_no_tools_has_them_chosen_for_it(running: Rig) -> None:
    async with FakeOllama() as fake:
        await put(running, fake, "OLLAMA")
        assert (await profile(running, "gemma:2b")).tool_choice == models_pb2.TOOL_CHOICE_EMBEDDING
        assert (await profile(running, "qwen3:8b")).tool_choice == models_pb2.TOOL_CHOICE_NATIVE


@pytest.mark.parametrize("kind", ["OLLAMA", "LMSTUDIO", "LLAMACPP", "VLLM", "OPENROUTER"])
async def test_a_server_without_the_extras_works_and_nothing_is_assumed_of_it(running: Rig, kind: str) -> None:
    async with FakeProvider() as fake:
        await put(running, fake, kind)
        told = await profile(running, "fake-small")
        answer = await running.chat(model="it/fake-small")
        state = (await check(running)).state
    assert answer.status_code == 200
    assert state == providers_pb2.PROVIDER_STATE_READY
    assert {able(told)[name] for name in ("tools", "images", "reasoning")} == {None}
    assert tokens(told) == (0, 0)


async def test_an_old_ollama_that_tells_no_capabilities_leaves_them_unknown(running: Rig) -> None:
    async with FakeOllama(tells=False) as fake:
        await put(running, fake, "OLLAMA")
        told = await profile(running, "gemma:2b")
    assert able(told) == words("+chat -embeddings ?tools ?images ?json_schema ?reasoning")
    assert tokens(told) == (2048, 8192)


async def test_details_are_asked_for_four_at_a_time_and_once_for_a_digest(running: Rig) -> None:
    names = tuple(f"m{number}" for number in range(20))
    asking = most = 0

    class Slow(FakeOllama):
        async def told(self, asked: Asked) -> tuple[int, Any] | None:
            nonlocal asking, most
            asking += 1
            most = max(most, asking)
            await asyncio.sleep(0.01)  # long enough for others to come, were they let
            asking -= 1
            return self.own(asked)

    async with Slow(models=names, pulled=dict.fromkeys(names, Pulled())) as fake:
        await put(running, fake, "OLLAMA")
        await check(running)
        shown = [asked for asked in fake.probed if asked.path == "/api/show"]
        assert len(shown) == len({asked.body["model"] for asked in shown}) == 20
        assert 1 < most <= 4


async def test_what_is_loaded_with_another_context_is_seen_at_the_next_look(running: Rig) -> None:
    async with FakeOllama() as fake:
        await put(running, fake, "OLLAMA")
        before = await model(running, "qwen3:8b")
        fake.pulled = {**MODELS, "qwen3:8b": replace(MODELS["qwen3:8b"], loaded=16_384)}
        await check(running)
        after = await model(running, "qwen3:8b")
    assert (before.profile.context_tokens, after.profile.context_tokens) == (4096, 16_384)
    assert before.digest == after.digest  # it is the same model


async def test_other_weights_under_the_same_name_are_another_model(running: Rig, monkeypatch: Any) -> None:
    async with FakeOllama() as fake:
        await put(running, fake, "OLLAMA")
        before = await model(running, "qwen3:8b")
        monkeypatch.setattr("tests.fakes.ollama.server.digest", lambda name: f"other-{name}")
        await check(running)
        after = await model(running, "qwen3:8b")
    assert before.digest != after.digest


async def test_llama_cpp_that_loads_is_starting_and_its_first_call_waits_for_it(running: Rig) -> None:
    async with FakeLlamaCpp(loading=True) as fake:
        await put(running, fake, "LLAMACPP")
        found = await check(running)
        assert (found.state, found.state_detail) == (providers_pb2.PROVIDER_STATE_STARTING, "it is loading its model")
        call = asyncio.create_task(running.chat(model="it/qwen3-4b-q4_k_m.gguf"))
        done, _ = await asyncio.wait([call], timeout=0.2)
        assert not done
        fake.loading = False
        assert (await call).status_code == 200
        assert len(fake.asked) == 1


async def test_a_call_does_not_wait_for_ever_for_a_model_that_loads(tmp_path: Path) -> None:
    async with rig(tmp_path / "home", first_byte_seconds=0.3) as running, FakeLlamaCpp(loading=True) as fake:
        await put(running, fake, "LLAMACPP")
        answer = await running.chat(model="it/qwen3-4b-q4_k_m.gguf")
        assert answer.status_code == 503
        assert "loading" in answer.json()["error"]["message"]
        assert not fake.asked


async def test_a_vllm_whose_engine_died_is_unavailable(running: Rig) -> None:
    async with FakeVLLM(dead=True) as fake:
        await put(running, fake, "VLLM")
        found = await check(running)
    assert (found.state, found.state_detail) == (providers_pb2.PROVIDER_STATE_UNAVAILABLE, "its engine does not run")


async def test_openrouters_prices_are_those_of_its_list_and_minus_one_is_unknown(running: Rig) -> None:
    async with FakeOpenRouter() as fake:
        await put(running, fake, "OPENROUTER")
        priced, automatic = await model(running, "qwen/qwen3-vl"), await model(running, "openrouter/auto")
    assert (priced.input_price_microusd_per_million, priced.output_price_microusd_per_million) == (200_000, 600_000)
    assert priced.profile.output_tokens == 8192
    assert not automatic.HasField("input_price_microusd_per_million")


async def test_a_list_in_openais_form_may_tell_the_context(running: Rig) -> None:
    class Telling(FakeProvider):
        def rows(self) -> list[dict[str, Any]]:
            return [{**row, "context_window": 131_072} for row in super().rows()]

    async with Telling() as fake:
        await put(running, fake, "OPENAI")
        assert (await profile(running, "fake-small")).context_tokens == 131_072


@pytest.mark.parametrize("kind", [99, providers_pb2.PROVIDER_KIND_EMBEDDED])
async def test_a_kind_that_nobody_knows_is_refused(running: Rig, kind: Any) -> None:
    async with FakeProvider() as fake:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await add(running, fake, "it", kind=kind)
    assert from_rpc(caught.value).violations[0].field == "provider.kind"
