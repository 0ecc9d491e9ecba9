"""A scan finds servers where it was told to look and nowhere else; a key is replaced at once, and for good."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from signet.kit.errors import from_rpc
from signet.v1 import providers_pb2 as pb
from signet.v1.providers_pb2_grpc import ProviderServiceStub
from tests.fakes.provider import FakeProvider
from tests.unit.router.rig import Rig, free_port, rig


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as served:
        yield served


@pytest.fixture
async def running(tmp_path: Path, fake: FakeProvider) -> AsyncIterator[Rig]:
    async with rig(tmp_path / "home", fake) as started:
        yield started


async def test_what_answers_is_found_and_what_does_not_is_left_out(running: Rig, fake: FakeProvider) -> None:
    place = fake.base_url.removeprefix("http://").removesuffix("/v1")
    providers = ProviderServiceStub(running.channel)
    await providers.DeleteProvider(pb.DeleteProviderRequest(name="providers/fake"))

    found = await providers.ScanProviders(pb.ScanProvidersRequest(hosts=[place, f"127.0.0.1:{free_port()}"]))

    assert [(one.base_url, one.state) for one in found.providers] == [(fake.base_url, pb.PROVIDER_STATE_READY)]
    assert "fake-small" in found.providers[0].models
    assert found.providers[0].name.startswith("providers/openai-127-0-0-1")


@pytest.mark.parametrize("host", ["10.0.0.0/8", "a b", "host:0", "host:99999", "", "http://x", "[::1", "x;y"])
async def test_a_range_or_nonsense_is_refused(running: Rig, host: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ProviderServiceStub(running.channel).ScanProviders(pb.ScanProvidersRequest(hosts=[host]))

    assert from_rpc(caught.value).violations[0].field == "hosts[0]"


@pytest.mark.parametrize("count", [0, 65])
async def test_no_host_and_too_many_are_refused(running: Rig, count: int) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ProviderServiceStub(running.channel).ScanProviders(pb.ScanProvidersRequest(hosts=["x"] * count))

    assert from_rpc(caught.value).violations[0].field == "hosts"


async def test_a_replaced_key_is_the_one_that_is_sent_also_after_a_restart(tmp_path: Path, fake: FakeProvider) -> None:
    async with rig(tmp_path / "home", fake) as running:
        providers = ProviderServiceStub(running.channel)
        stored = await providers.SetProviderKey(pb.SetProviderKeyRequest(name="providers/fake", key="another-key"))
        assert stored.provider.has_key
    fake.key = "another-key"
    async with rig(tmp_path / "home") as running:
        request = pb.CheckProviderRequest(name="providers/fake")
        answer = await ProviderServiceStub(running.channel).CheckProvider(request)
        assert answer.provider.state == pb.PROVIDER_STATE_READY
        fake.key = "a-third-key"
        answer = await ProviderServiceStub(running.channel).CheckProvider(request)
        assert answer.provider.state == pb.PROVIDER_STATE_UNAVAILABLE


async def test_a_bad_key_is_refused_and_not_quoted(running: Rig) -> None:
    request = pb.SetProviderKeyRequest(name="providers/fake", key="sekret with spaces")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ProviderServiceStub(running.channel).SetProviderKey(request)

    error = from_rpc(caught.value)
    assert error.violations[0].field == "key"
    assert "sekret" not in str(error.violations)


async def test_a_provider_that_nobody_added_keeps_its_key(running: Rig) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ProviderServiceStub(running.channel).SetProviderKey(
            pb.SetProviderKeyRequest(name="providers/nobodys", key="k" * 20)
        )

    assert from_rpc(caught.value).reason == "PROVIDER_NOT_FOUND"
