"""A whole router in this process, on real sockets, beside a served fake of control's TokenService."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx

from router.app import App, serving
from router.options import RouterOptions
from signet.kit import dial
from signet.kit.auth import RunClaims, sign_run_token
from signet.kit.home import Home
from tests.fakes import tokens as fake_tokens
from tests.fakes.provider import FakeProvider
from tests.fakes.tokens import FakeTokens
from tests.harness.ports import free_port as free_port  # noqa: PLC0414 - for those who use the rig

OPERATOR = "sgt_operator-token-of-the-tests"
VIEWER = "sgt_viewer-token-of-the-tests"
WORKER = "sgt_worker-token-of-the-tests"


@dataclass(frozen=True)
class Rig:
    """A running router, and how tests reach it."""

    home: Home
    app: App
    door: httpx.AsyncClient
    channel: grpc.aio.Channel
    tokens: FakeTokens

    def run_token(self, *models: str, seconds: int = 600, run: str = "r1", key: bytes | None = None) -> str:
        """Sign a token as control does for a run."""
        return sign(self.home, *models, seconds=seconds, run=run, key=key)

    async def chat(
        self, body: Mapping[str, Any] | None = None, *, token: str = OPERATOR, **fields: Any
    ) -> httpx.Response:
        """Ask the fake's small model, or what `fields` say."""
        asked = {"model": "fake/fake-small", "messages": [{"role": "user", "content": "hi"}], **(body or {}), **fields}
        return await self.door.post("/v1/chat/completions", json=asked, headers=bearer(token))


def sign(home: Home, *models: str, seconds: int = 600, run: str = "r1", key: bytes | None = None) -> str:
    """Sign a run token with the key in a data folder, or another."""
    claims = RunClaims(f"runs/{run}", "agents/a1", "sessions/s1", models, 1, int(time.time()) + seconds)
    return sign_run_token(key or home.key("run.key"), claims)


def bearer(token: str) -> dict[str, str]:
    """Give the header that carries a token."""
    return {"authorization": f"Bearer {token}"}


def code(response: httpx.Response) -> tuple[int, str]:
    """Give an error's status and code."""
    return response.status_code, response.json()["error"]["code"]


def events(text: str) -> list[Any]:
    """Give a stream's events: parsed data, the text "[DONE]", and comments as they are."""
    found: list[Any] = []
    for event in text.replace("\r\n", "\n").split("\n\n"):
        if event.startswith("data: {"):
            found.append(json.loads(event[6:]))
        elif event.startswith("data: "):
            found.append(event[6:])
        elif event:
            found.append(event)
    return found


def said_usage(text: str) -> Any:
    """Give the usage that a stream's last comment tells."""
    last = events(text)[-1]
    assert last.startswith(": signet-usage "), last
    return json.loads(last.removeprefix(": signet-usage "))


@asynccontextmanager
async def rig(
    root: Path, fake: FakeProvider | None = None, *, environment: Mapping[str, str] | None = None, **options: Any
) -> AsyncIterator[Rig]:
    """Run a router without the embedded model; a fake given is its provider `fake`, added over gRPC."""
    home = Home(root)
    home.prepare()
    tokens = FakeTokens({OPERATOR: "OPERATOR", VIEWER: "VIEWER", WORKER: "WORKER"})
    chosen = RouterOptions(**{"port": 0, "embedded": False, **options})
    transport = httpx.AsyncHTTPTransport(uds=str(home.socket("door.sock")))
    async with (
        fake_tokens.serving(home.socket("control.sock"), tokens),
        serving(home, chosen, environment or {}, None) as app,
        httpx.AsyncClient(transport=transport, base_url="http://door", timeout=60) as door,
        dial.channel(home.target("router.sock"), OPERATOR) as channel,
    ):
        running = Rig(home, app, door, channel, tokens)
        if fake is not None:
            await add(running, fake)
        yield running


async def add(running: Rig, fake: FakeProvider, name: str = "fake", **fields: Any) -> None:
    """Add a served fake as a provider, and wait until its models are known."""
    from signet.v1 import providers_pb2 as pb
    from signet.v1.providers_pb2_grpc import ProviderServiceStub

    stub = ProviderServiceStub(running.channel)
    provider = pb.Provider(name=f"providers/{name}", base_url=fake.base_url, **fields)
    await stub.CreateProvider(pb.CreateProviderRequest(provider=provider, key=fake.key))
    await stub.CheckProvider(pb.CheckProviderRequest(name=f"providers/{name}"))
