import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from router.store.ledger import Filter, Row
from signet.kit.auth import RunClaims, sign_run_token
from signet.v1 import apis_pb2 as pb
from signet.v1 import secrets_pb2
from signet.v1.apis_pb2_grpc import ApiServiceStub
from signet.v1.secrets_pb2_grpc import SecretServiceStub
from tests.fakes.site import Asked, Site
from tests.unit.router.rig import Rig, bearer, rig

VALUE = 'planted-0123456789/with+signs"and\\more'
BEARER = "header:Authorization:Bearer "


@dataclass
class Bench:
    """A router, a site behind it as the API `search`, and who calls it."""

    running: Rig
    site: Site

    async def put(self, name: str = "search", **fields: Any) -> pb.Api:
        """Store an API, by default the site with its credential as a bearer token."""
        base_url = fields.pop("base_url", f"http://127.0.0.1:{self.site.port}/base")
        known = {"secret": "secrets/search-key", "placement": BEARER, "allow": ["* /**"]} | fields
        api = pb.Api(name=f"apis/{name}", base_url=base_url, **known)
        return (await ApiServiceStub(self.running.channel).PutApi(pb.PutApiRequest(api=api))).api

    async def put_secret(self, value: str = VALUE, name: str = "search-key", owner: str = "") -> None:
        """Store a secret."""
        secret = secrets_pb2.Secret(name=f"secrets/{name}", owner=owner)
        await SecretServiceStub(self.running.channel).PutSecret(
            secrets_pb2.PutSecretRequest(secret=secret, value=value)
        )

    def token(self, *apis: str, agent: str = "agents/a1", run: str = "runs/r1", seconds: int = 600) -> str:
        """Sign a run's token, or with `run` empty that of a policy."""
        claims = RunClaims(run, agent, "", (), 1, int(time.time()) + seconds, (), apis)
        return sign_run_token(self.running.home.key("run.key"), claims)

    async def call(
        self, path: str = "/v1/find", method: str = "GET", *, token: str = "", api: str = "search", **more: Any
    ) -> httpx.Response:
        """Call the API by a run whose policy names it, or by another token."""
        headers = {**bearer(token or self.token("search")), **more.pop("headers", {})}
        return await self.running.door.request(method, f"/apis/{api}{path}", headers=headers, **more)

    async def raw(self, *lines: str, body: bytes = b"", token: str = "") -> bytes:
        """Send a request exactly as it is written here, as a run whose policy names the API; gives the whole answer."""
        reader, writer = await asyncio.open_unix_connection(self.running.home.socket("door.sock"))
        try:
            said = [
                lines[0],
                "Host: door",
                f"Authorization: Bearer {token or self.token('search')}",
                *lines[1:],
                "",
                "",
            ]
            writer.write("\r\n".join(said).encode("latin-1") + body)
            async with asyncio.timeout(30):
                return await reader.read()
        finally:
            writer.close()

    async def rows(self) -> list[Row]:
        """Give the ledger's rows, newest first."""
        return await self.running.app.ledger.rows(Filter(), after=None, limit=100)

    @property
    def asked(self) -> Asked:
        """What the site was asked last."""
        return self.site.asked[-1]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    served = await Site().start()
    yield served
    await served.aclose()


@pytest.fixture
async def bench(tmp_path: Path, site: Site) -> AsyncIterator[Bench]:
    async with rig(tmp_path / "home", first_byte_seconds=5, idle_seconds=5) as running:
        made = Bench(running, site)
        await made.put_secret()
        await made.put()
        yield made
