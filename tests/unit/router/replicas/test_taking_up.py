"""What another router stored is taken up, and what did not change is left as it is."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from router.keys import KeyFile
from router.model import Spec
from router.routes.route import Route, Target
from router.store.database import open_database
from router.store.providers import ProviderStore, Stored
from router.store.routes import RouteStore
from router.vault import Vault
from signet.kit.errors import NotFound
from tests.fakes.provider import FakeProvider
from tests.unit.router.rig import Rig, add, rig


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with FakeProvider(key="sk-of-the-fake") as served:
        yield served


@pytest.fixture
async def running(tmp_path: Path, fake: FakeProvider) -> AsyncIterator[Rig]:
    async with rig(tmp_path / "home", environment={"OPENAI_BASE_URL": fake.base_url}) as started:
        await add(started, fake, input_price_microusd_per_million=5)
        yield started


async def test_providers_routes_and_the_default_are_taken_up(running: Rig, fake: FakeProvider) -> None:
    fleet = running.app.fleet
    engine = open_database(running.home.router / "router.db")
    store, routes = ProviderStore(engine), RouteStore(engine)
    vault = Vault(KeyFile(running.home.keys / "vault.key").read())
    before = fleet.provider("fake")

    await fleet.reload()
    assert fleet.provider("fake") is before

    spec = Spec("other", "OPENAI", fake.base_url, models=("fake-small",))
    await store.add(Stored(spec, vault.seal(spec, "sk-of-the-fake")))
    await store.add(Stored(replace(spec, id="openai"), None))  # the environment's own wins
    await routes.put(Route("fast", (Target("other", "fake-small"),)))
    await store.choose_default_model("other/fake-small")
    await fleet.reload()
    await fleet.routes.reload()
    assert fleet.provider("openai").spec.origin == "environment"
    assert (await running.chat(model="other/fake-small")).status_code == 200
    assert (await running.chat(model="fast")).status_code == 200
    assert (await running.chat(model="default")).status_code == 200
    assert fleet.default() == "other/fake-small"

    await store.rekey("other", vault.seal(spec, "sk-wrong"))
    await routes.remove("fast")
    await fleet.reload()
    await fleet.routes.reload()
    assert fleet.provider("fake") is before
    assert (await running.chat(model="other/fake-small")).status_code != 200
    assert (await running.chat(model="fast")).status_code == 404

    await store.remove("other")
    await fleet.reload()
    with pytest.raises(NotFound):
        fleet.provider("other")
    assert (await running.chat(model="other/fake-small")).status_code == 404
    assert fleet.provider("fake") is before
    await engine.dispose()
