"""What a deleted agent owns at the router goes with it, also where the router was away; what others own stays."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from router.authorise import Callers, permit
from router.control import asking
from router.secrets import Secrets
from router.services.secrets import SecretServer
from router.store.database import open_database
from router.store.secrets import SecretStore
from router.vault import Vault
from signet.kit import dial, rpc
from signet.kit.home import Home
from signet.kit.log import get
from signet.v1 import agents_pb2, secrets_pb2, secrets_pb2_grpc
from tests.integration.control.fleet import eventually, running

ASSISTANT = "agents/assistant"


@asynccontextmanager
async def router(home: Home) -> AsyncIterator[Secrets]:
    """Serve the router's own SecretService alone, which asks control whose a token is."""
    home.prepare()
    engine = open_database(home.router / "router.db")
    secrets = Secrets(SecretStore(engine), Vault(bytes(32)), get("router"))
    control = dial.channel(home.target("control.sock"))
    service = rpc.Service(
        secrets_pb2.DESCRIPTOR.services_by_name["SecretService"],
        secrets_pb2_grpc.add_SecretServiceServicer_to_server,
        SecretServer(secrets),
    )
    guard = rpc.Guard(get("router"), Callers(asking(control)).authenticate, permit)
    try:
        async with rpc.serving([service], unix=home.socket("router.sock"), tcp=None, guard=guard):
            yield secrets
    finally:
        await control.close()
        await engine.dispose()


async def kept(secrets: Secrets) -> list[str]:
    return [found.id for found in await secrets.page("", 100)]


async def filled(secrets: Secrets) -> None:
    for name, owner in (("common", ""), ("hers", "agents/helper"), ("one", ASSISTANT), ("two", ASSISTANT)):
        await secrets.put(name, owner, "value")


async def test_the_secrets_of_an_agent_go_with_it(tmp_path: Path) -> None:
    async with running(tmp_path, router=False) as fleet, router(fleet.home) as secrets:
        await filled(secrets)
        await fleet.operator.agents.DeleteAgent(agents_pb2.DeleteAgentRequest(name=ASSISTANT))

        async def gone() -> bool:
            return await kept(secrets) == ["common", "hers"]

        await eventually(gone)


async def test_a_router_that_was_away_is_asked_later(tmp_path: Path) -> None:
    async with router(Home(tmp_path)) as secrets:
        await filled(secrets)
    async with running(tmp_path, router=False) as fleet:
        await fleet.operator.agents.DeleteAgent(agents_pb2.DeleteAgentRequest(name=ASSISTANT))
    async with router(Home(tmp_path)) as secrets:
        assert await kept(secrets) == ["common", "hers", "one", "two"]
        async with running(tmp_path, router=False):

            async def gone() -> bool:
                return await kept(secrets) == ["common", "hers"]

            await eventually(gone)
