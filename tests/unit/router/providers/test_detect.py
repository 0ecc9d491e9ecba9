"""Which server answers is found out by what only that server says, at its own address or a scanned host."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from router.providers.detect import Tells, kind, public
from signet.v1 import providers_pb2 as pb
from signet.v1.providers_pb2_grpc import ProviderServiceStub
from tests.fakes.llamacpp import FakeLlamaCpp
from tests.fakes.lmstudio import FakeLMStudio
from tests.fakes.ollama import FakeOllama
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.provider import FakeProvider
from tests.fakes.vllm import FakeVLLM
from tests.unit.router.rig import Rig, add, free_port, rig

FAKES: dict[str, type[FakeProvider]] = {
    "OLLAMA": FakeOllama,
    "LMSTUDIO": FakeLMStudio,
    "LLAMACPP": FakeLlamaCpp,
    "VLLM": FakeVLLM,
    "OPENROUTER": FakeOpenRouter,
    "OPENAI": FakeProvider,
}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path / "home") as started:
        yield started


@pytest.mark.parametrize("expected", FAKES)
async def test_a_provider_without_a_kind_is_asked_which_it_is(running: Rig, expected: str) -> None:
    async with FAKES[expected]() as fake:
        await add(running, fake, "it")
        request = pb.GetProviderRequest(name="providers/it")
        found = (await ProviderServiceStub(running.channel).GetProvider(request)).provider
    assert pb.ProviderKind.Name(found.kind) == f"PROVIDER_KIND_{expected}"


async def test_an_address_where_nobody_answers_can_be_added_all_the_same(running: Rig) -> None:
    provider = pb.Provider(name="providers/later", base_url=f"http://127.0.0.1:{free_port()}/v1")
    made = await ProviderServiceStub(running.channel).CreateProvider(pb.CreateProviderRequest(provider=provider))
    assert made.provider.kind == pb.PROVIDER_KIND_OPENAI


async def test_a_kind_that_is_given_is_taken_without_asking(running: Rig) -> None:
    async with FakeOllama() as fake:
        await add(running, fake, "it", kind=pb.PROVIDER_KIND_OPENAI)
        assert not fake.probed


async def test_the_kind_is_kept(tmp_path: Path) -> None:
    async with FakeVLLM() as fake:
        async with rig(tmp_path / "home") as running:
            await add(running, fake, "it")
        async with rig(tmp_path / "home") as running:
            request = pb.GetProviderRequest(name="providers/it")
            found = (await ProviderServiceStub(running.channel).GetProvider(request)).provider
    assert found.kind == pb.PROVIDER_KIND_VLLM


@pytest.mark.parametrize("expected", FAKES)
async def test_a_scan_tells_which_server_it_found(running: Rig, expected: str) -> None:
    async with FAKES[expected]() as fake:
        host = f"127.0.0.1:{fake.port}"
        found = (await scanned(running, host))[0]
    assert pb.ProviderKind.Name(found.kind) == f"PROVIDER_KIND_{expected}"
    assert found.name == f"providers/{expected.lower()}-127-0-0-1-{fake.port}"
    assert set(found.models) == set(fake.models)


async def test_a_server_that_wants_a_key_is_found_and_says_so(running: Rig) -> None:
    async with FakeProvider(key="sekret") as fake:
        found = (await scanned(running, f"127.0.0.1:{fake.port}"))[0]
    assert (found.state, found.state_detail) == (pb.PROVIDER_STATE_UNAVAILABLE, "it wants a key")


async def test_a_server_that_is_a_provider_already_is_told_as_that(running: Rig) -> None:
    async with FakeOllama() as fake:
        await add(running, fake, "mine")
        found = (await scanned(running, f"127.0.0.1:{fake.port}"))[0]
    assert (found.name, found.origin) == ("providers/mine", "user")


async def test_a_name_that_is_taken_is_not_proposed_again(running: Rig) -> None:
    async with FakeOllama() as fake, FakeProvider() as other:
        await add(running, other, f"ollama-127-0-0-1-{fake.port}")
        found = (await scanned(running, f"127.0.0.1:{fake.port}"))[0]
    assert found.name == f"providers/ollama-127-0-0-1-{fake.port}-2"


async def test_a_page_that_is_no_list_of_models_is_not_found(running: Rig) -> None:
    async with FakeProvider(lists_models=False) as fake:
        assert not await scanned(running, f"127.0.0.1:{fake.port}")


@pytest.mark.parametrize(
    ("tells", "expected"),
    [
        (Tells(), "OPENAI"),
        (Tells(props={"error": "x"}, lmstudio={"error": "x"}, ollama={"error": "x"}), "OPENAI"),
        (Tells([{"id": "m", "owned_by": "llamacpp"}], ollama={"version": "1"}), "LLAMACPP"),
        (Tells(props=[1], lmstudio="x", newer_lmstudio=3, ollama=[]), "OPENAI"),
        (Tells([{"id": "m", "owned_by": "vllm"}]), "VLLM"),
        (Tells([{"id": "m", "owned_by": "sglang", "max_model_len": 5}]), "OPENAI"),
    ],
)
def test_a_kind_is_told_by_what_only_that_server_says(tells: Tells, expected: str) -> None:
    assert kind(tells) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://openrouter.ai/api/v1", "OPENROUTER"),
        ("https://eu.openrouter.ai/api/v1", "OPENROUTER"),
        ("https://notopenrouter.ai/api/v1", ""),
        ("https://api.anthropic.com/v1", "ANTHROPIC"),
        ("https://api.openai.com/v1", ""),
        ("http://openrouter.ai.example.org/v1", ""),
    ],
)
def test_public_providers_are_known_by_their_hosts(url: str, expected: str) -> None:
    assert public(url) == expected


async def scanned(running: Rig, *hosts: str) -> list[Any]:
    answer = await ProviderServiceStub(running.channel).ScanProviders(pb.ScanProvidersRequest(hosts=hosts))
    return list(answer.providers)


async def test_a_server_that_comes_by_the_environment_is_treated_as_what_it_is(tmp_path: Path) -> None:
    async with FakeOllama() as fake:
        environment = {"OPENAI_BASE_URL": fake.base_url, "OPENAI_MODEL": "qwen3:8b"}
        async with rig(tmp_path / "home", environment=environment) as running:
            request = pb.CheckProviderRequest(name="providers/openai")
            await ProviderServiceStub(running.channel).CheckProvider(request)
            found = running.app.fleet.model("default")
            answer = await running.chat(model="default", max_completion_tokens=2)
    assert (found.name, found.profile.context_tokens, found.profile.images) == ("openai/qwen3:8b", 4096, True)
    assert fake.asked[-1].body["max_tokens"] == 2
    assert answer.json()["choices"][0]["finish_reason"] == "length"


async def test_a_provider_whose_kind_was_given_as_openai_is_asked_nothing_beside(running: Rig) -> None:
    async with FakeOllama() as fake:
        await add(running, fake, "it", kind=pb.PROVIDER_KIND_OPENAI)
        assert running.app.fleet.model("it/qwen3:8b").profile.images is None
        assert not fake.probed
