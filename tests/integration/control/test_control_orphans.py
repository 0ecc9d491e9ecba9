"""What a deleted agent owns at the router goes with it, also where the router was away; what others own stays."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from router.authorise import Callers, permit
from router.control import asking
from router.keys import KeyFile
from router.rotation import Rotation
from router.secrets import Secrets
from router.services.secrets import SecretServer
from router.store.database import open_database
from router.store.sealed import SealedStore
from router.store.secrets import SecretStore
from router.vault import Vault
from signet.kit import dial, rpc
from signet.kit.home import Home
from signet.kit.log import get
from signet.v1 import agents_pb2, secrets_pb2, secrets_pb2_grpc, tokens_pb2
from tests.integration.control.fleet import eventually, running

ASSISTANT = "agents/assistant"


async def nothing() -> None:
    """Do it."""


class Listing(SecretServer):
    """The service, which does something of the test's before each list."""

    def __init__(self, secrets: Secrets, before: Callable[[], Awaitable[None]]) -> None:
        super().__init__(secrets)
        self._before = before

    async def ListSecrets(
        self, request: secrets_pb2.ListSecretsRequest, context: object
    ) -> secrets_pb2.ListSecretsResponse:
        await self._before()
        return await super().ListSecrets(request, context)


@asynccontextmanager
async def router(home: Home, before: Callable[[], Awaitable[None]] = nothing) -> AsyncIterator[Secrets]:
    """Serve the router's own SecretService alone, which asks control whose a token is."""
    home.prepare()
    engine = open_database(home.router / "router.db")
    vault = Vault(bytes(32))
    rotation = Rotation(vault, KeyFile(home.keys / "vault.key"), SealedStore(engine), get("router"))
    secrets = Secrets(SecretStore(engine), vault, rotation, get("router"))
    control = dial.channel(home.target("control.sock"))
    service = rpc.Service(
        secrets_pb2.DESCRIPTOR.services_by_name["SecretService"],
        secrets_pb2_grpc.add_SecretServiceServicer_to_server,
        Listing(secrets, before),
    )
    guard = rpc.Guard(get("router"), Callers(asking(control)).authenticate, permit)
    try:
        async with rpc.serving([service], unix=home.socket("router.sock"), tcp=None, guard=guard):
            yield secrets
    finally:
        await control.close()
        await engine.dispose()


async def kept(secrets: Secrets) -> list[str]:
    return [found.id for found in await secrets.page(("", ""), 100)]


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


async def test_the_secrets_of_a_user_go_with_the_token(tmp_path: Path) -> None:
    async with running(tmp_path, router=False) as fleet, router(fleet.home) as secrets:
        wanted = tokens_pb2.Token(title="A user", scope=tokens_pb2.TOKEN_SCOPE_OPERATOR)
        made = (await fleet.operator.tokens.CreateToken(tokens_pb2.CreateTokenRequest(token=wanted))).token
        for name, owner in (("common", ""), ("its", made.name), ("mine", "tokens/operator"), ("hers", "agents/helper")):
            await secrets.put(name, owner, "value")
        await fleet.operator.tokens.RevokeToken(tokens_pb2.RevokeTokenRequest(name=made.name))

        async def gone() -> bool:
            return await kept(secrets) == ["common", "hers", "mine"]

        await eventually(gone)


async def test_the_secrets_of_a_user_who_comes_meanwhile_stay(tmp_path: Path) -> None:
    wanted = tokens_pb2.Token(title="A user", scope=tokens_pb2.TOKEN_SCOPE_OPERATOR)
    comes = False

    async def come() -> None:
        nonlocal comes
        if comes:
            comes = False
            made = (await fleet.operator.tokens.CreateToken(tokens_pb2.CreateTokenRequest(token=wanted))).token
            await secrets.put("a-new-one", made.name, "value")

    async with running(tmp_path, router=False) as fleet, router(fleet.home, come) as secrets:
        old = (await fleet.operator.tokens.CreateToken(tokens_pb2.CreateTokenRequest(token=wanted))).token
        await secrets.put("old", old.name, "value")
        comes = True
        await fleet.operator.tokens.RevokeToken(tokens_pb2.RevokeTokenRequest(name=old.name))

        async def gone() -> bool:
            return "old" not in await kept(secrets)

        await eventually(gone)
        assert await kept(secrets) == ["a-new-one"]
