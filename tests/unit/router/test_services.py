"""The services tell of models, providers and usage what is so, a page at a time, to whoever may know."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from signet.kit import dial
from signet.v1 import models_pb2, providers_pb2, usage_pb2
from signet.v1.models_pb2_grpc import ModelServiceStub
from signet.v1.providers_pb2_grpc import ProviderServiceStub
from signet.v1.usage_pb2_grpc import UsageServiceStub
from tests.fakes.provider import FakeProvider, Reply
from tests.unit.router.rig import VIEWER, WORKER, Rig, add, free_port, rig


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as served:
        yield served


@pytest.fixture
async def running(tmp_path: Path, fake: FakeProvider) -> AsyncIterator[Rig]:
    async with rig(tmp_path / "home", fake) as started:
        yield started


def refused(caught: pytest.ExceptionInfo[grpc.aio.AioRpcError]) -> tuple[str, str]:
    from signet.kit.errors import from_rpc

    error = from_rpc(caught.value)
    return error.code.name, error.reason


async def test_models_are_listed_by_name_a_page_at_a_time(running: Rig) -> None:
    models = ModelServiceStub(running.channel)
    first = await models.ListModels(models_pb2.ListModelsRequest(page_size=2))
    rest = await models.ListModels(models_pb2.ListModelsRequest(page_size=2, page_token=first.next_page_token))
    names = [model.name for model in [*first.models, *rest.models]]
    assert names == ["models/fake/fake-embed", "models/fake/fake-large", "models/fake/fake-small"]
    assert not rest.next_page_token
    assert first.models[0].profile.embeddings
    assert not first.models[0].profile.chat
    assert first.models[1].profile.chat
    assert {model.state for model in first.models} == {models_pb2.MODEL_STATE_READY}
    providers = ProviderServiceStub(running.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await providers.ListProviders(providers_pb2.ListProvidersRequest(page_token=first.next_page_token))
    assert refused(caught) == ("INVALID_ARGUMENT", "INVALID_PAGE_TOKEN")


async def test_the_default_is_chosen_kept_and_resolved(tmp_path: Path, fake: FakeProvider) -> None:
    async with rig(tmp_path / "home", fake) as running:
        models = ModelServiceStub(running.channel)
        chosen = await models.SetDefaultModel(models_pb2.SetDefaultModelRequest(name="models/fake/fake-large"))
        assert chosen.model.is_default
    async with rig(tmp_path / "home") as running:
        models = ModelServiceStub(running.channel)
        got = await models.GetModel(models_pb2.GetModelRequest(name="models/default"))
        assert got.model.name == "models/fake/fake-large"
        assert len(got.model.digest) == 64
        assert (await running.chat(model="default")).json()["model"] == "fake-large"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("models/fake/nope", ("NOT_FOUND", "MODEL_NOT_FOUND")),
        ("models/default", ("INVALID_ARGUMENT", "INVALID_FIELD")),
        ("models/fake/fake-embed", ("INVALID_ARGUMENT", "INVALID_FIELD")),
        ("fake/fake-small", ("INVALID_ARGUMENT", "INVALID_FIELD")),
        ("", ("INVALID_ARGUMENT", "INVALID_FIELD")),
    ],
)
async def test_what_cannot_be_the_default_is_refused(running: Rig, name: str, expected: tuple[str, str]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ModelServiceStub(running.channel).SetDefaultModel(models_pb2.SetDefaultModelRequest(name=name))
    assert refused(caught) == expected


async def test_a_models_digest_tells_models_apart_and_stays(running: Rig, fake: FakeProvider) -> None:
    models = ModelServiceStub(running.channel)
    listed = (await models.ListModels(models_pb2.ListModelsRequest())).models
    assert len({model.digest for model in listed}) == len(listed)
    fake.queue(Reply(status=500))
    await running.chat()
    again = (await models.ListModels(models_pb2.ListModelsRequest())).models
    assert [model.digest for model in again] == [model.digest for model in listed]
    assert {model.state for model in again} == {models_pb2.MODEL_STATE_UNAVAILABLE}


async def test_a_provider_comes_and_goes(running: Rig, fake: FakeProvider) -> None:
    providers = ProviderServiceStub(running.channel)
    got = (await providers.GetProvider(providers_pb2.GetProviderRequest(name="providers/fake"))).provider
    assert (got.origin, got.base_url, got.has_key) == ("user", fake.base_url, False)
    assert list(got.models) == ["fake-embed", "fake-large", "fake-small"]
    assert not got.HasField("input_price_microusd_per_million")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await add(running, fake)
    assert refused(caught) == ("ALREADY_EXISTS", "NAME_TAKEN")
    await providers.DeleteProvider(providers_pb2.DeleteProviderRequest(name="providers/fake"))
    assert (await running.chat()).status_code == 404
    for call in (
        providers.GetProvider(providers_pb2.GetProviderRequest(name="providers/fake")),
        providers.DeleteProvider(providers_pb2.DeleteProviderRequest(name="providers/fake")),
        providers.CheckProvider(providers_pb2.CheckProviderRequest(name="providers/fake")),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert refused(caught) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")


async def test_only_the_named_models_of_a_provider_are_offered(running: Rig, fake: FakeProvider) -> None:
    await add(running, fake, "narrow", models=["fake-large"])
    assert (await running.chat(model="narrow/fake-large")).status_code == 200
    assert (await running.chat(model="narrow/fake-small")).status_code == 404


async def test_a_provider_that_lists_no_models_takes_any_name(running: Rig) -> None:
    async with FakeProvider(lists_models=False) as mute:
        await add(running, mute, "mute")
        assert (await running.chat(model="mute/what-ever")).json()["model"] == "what-ever"


async def test_a_check_says_what_is_wrong(running: Rig) -> None:
    gone = FakeProvider(port=free_port())
    await add(running, gone, "gone")
    providers = ProviderServiceStub(running.channel)
    found = await providers.CheckProvider(providers_pb2.CheckProviderRequest(name="providers/gone"))
    assert found.provider.state == providers_pb2.PROVIDER_STATE_UNAVAILABLE
    assert "cannot be reached" in found.provider.state_detail
    assert found.duration_micros > 0


async def test_viewers_read_and_workers_may_nothing(running: Rig) -> None:
    async with dial.channel(running.home.target("router.sock"), VIEWER) as channel:
        providers = ProviderServiceStub(channel)
        await providers.ListProviders(providers_pb2.ListProvidersRequest())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await providers.DeleteProvider(providers_pb2.DeleteProviderRequest(name="providers/fake"))
        assert refused(caught) == ("PERMISSION_DENIED", "SCOPE_MISSING")
    for token, expected in ((WORKER, "PERMISSION_DENIED"), ("sgt_x", "UNAUTHENTICATED"), (None, "UNAUTHENTICATED")):
        async with dial.channel(running.home.target("router.sock"), token) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await ModelServiceStub(channel).ListModels(models_pb2.ListModelsRequest())
            assert refused(caught)[0] == expected


async def test_usage_is_summed_by_every_dimension_and_unknown_cost_stays_unknown(
    running: Rig, fake: FakeProvider
) -> None:
    prices = {"input_price_microusd_per_million": 1_000_000, "output_price_microusd_per_million": 2_000_000}
    await add(running, fake, "priced", **prices)
    for run in ("r1", "r2", "r2"):
        fake.queue(Reply("a b"))
        await running.chat(model="priced/fake-small", token=running.run_token("priced/fake-small", run=run))
    usage = UsageServiceStub(running.channel)
    ask = usage_pb2.ListUsageRequest
    by_run = await usage.ListUsage(ask(dimension=usage_pb2.USAGE_DIMENSION_RUN, page_size=1))
    assert by_run.rows[0].key == "runs/r2"
    each = 11 + 2 * 4
    assert by_run.rows[0].usage.cost_microusd == 2 * each
    assert by_run.total.cost_microusd == 3 * each
    rest = await usage.ListUsage(
        ask(dimension=usage_pb2.USAGE_DIMENSION_RUN, page_size=1, page_token=by_run.next_page_token)
    )
    assert [row.key for row in rest.rows] == ["runs/r1"]
    assert not rest.next_page_token
    only = await usage.ListUsage(ask(run="runs/r1"))
    assert [(row.key, row.usage.calls) for row in only.rows] == [("agents/a1", 1)]
    keys = {}
    for name in ("AGENT", "MODEL", "SESSION", "PROVIDER", "DAY"):
        found = await usage.ListUsage(ask(dimension=f"USAGE_DIMENSION_{name}"))
        keys[name] = [row.key for row in found.rows]
    assert keys["MODEL"] == ["models/priced/fake-small"]
    assert keys["PROVIDER"] == ["providers/priced"]
    assert keys["SESSION"] == ["sessions/s1"]
    assert len(keys["DAY"][0]) == len("2026-11-21")
    await running.chat()  # a provider without a price, asked by a person
    mixed = await usage.ListUsage(ask())
    assert not mixed.total.HasField("cost_microusd")
    assert mixed.rows[-1].key == ""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await usage.ListUsage(ask(run="r1"))
    assert refused(caught) == ("INVALID_ARGUMENT", "INVALID_FIELD")


async def test_many_rows_at_once_are_all_in_the_ledger(running: Rig) -> None:
    answers = await asyncio.gather(*(running.chat() for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    total = (await UsageServiceStub(running.channel).ListUsage(usage_pb2.ListUsageRequest())).total
    assert total.calls == 100
