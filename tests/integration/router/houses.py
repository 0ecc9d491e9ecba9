"""Several real routers on one PostgreSQL, each with a data folder of its own and the same keys."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx

from signet.kit import dial
from signet.kit.home import Home
from signet.v1 import budgets_pb2, providers_pb2, usage_pb2
from signet.v1.budgets_pb2_grpc import BudgetServiceStub
from signet.v1.providers_pb2_grpc import ProviderServiceStub
from signet.v1.usage_pb2_grpc import UsageServiceStub
from tests.fakes import tokens as fake_tokens
from tests.fakes.provider import FakeProvider
from tests.fakes.tokens import FakeTokens
from tests.harness.process import Process
from tests.unit.router.rig import OPERATOR, bearer, sign

PRICES: dict[str, Any] = {"input_price_microusd_per_million": 1_000_000, "output_price_microusd_per_million": 2_000_000}


@dataclass
class House:
    """One router, and how tests reach it."""

    home: Home
    process: Process
    http: httpx.AsyncClient
    channel: grpc.aio.Channel

    async def chat(self, text: str = "hi", **fields: Any) -> httpx.Response:
        """Ask the fake's small model, for at most 4 tokens."""
        body = {"model": "fake/fake-small", "messages": [{"role": "user", "content": text}], "max_tokens": 4, **fields}
        token = sign(self.home, "fake/fake-small")
        return await self.http.post("/v1/chat/completions", json=body, headers=bearer(token))

    async def budget(self, name: str, limit: int) -> None:
        """Limit what all calls cost together."""
        budget = budgets_pb2.Budget(name=f"budgets/{name}", limit=limit)
        await BudgetServiceStub(self.channel).PutBudget(budgets_pb2.PutBudgetRequest(budget=budget))

    async def standing(self, name: str) -> tuple[int, int]:
        """Give what is used and held of a budget."""
        asked = budgets_pb2.GetBudgetRequest(name=f"budgets/{name}")
        found = (await BudgetServiceStub(self.channel).GetBudget(asked)).budget
        return found.used, found.reserved

    async def calls(self) -> list[tuple[str, int]]:
        """Give the outcome and the cost of every call in the ledger."""
        found = await UsageServiceStub(self.channel).ListCalls(usage_pb2.ListCallsRequest(page_size=1000))
        return [(call.outcome, call.usage.cost_microusd) for call in found.calls]

    async def provide(self, fake: FakeProvider) -> None:
        """Add the fake as a provider, with prices."""
        provider = providers_pb2.Provider(name="providers/fake", base_url=fake.base_url, **PRICES)
        stub = ProviderServiceStub(self.channel)
        await stub.CreateProvider(providers_pb2.CreateProviderRequest(provider=provider, key=fake.key))

    async def until_served(self) -> None:
        """Wait until it knows the fake."""
        async with asyncio.timeout(20):
            while (await self.chat("are you there")).status_code != 200:  # noqa: ASYNC110 - it is told by nobody
                await asyncio.sleep(0.05)


@dataclass
class Street:
    """Where routers are opened."""

    folder: Path
    url: str
    options: Mapping[str, str]
    stack: AsyncExitStack
    houses: list[House] = field(default_factory=list)

    def home(self, name: str) -> Home:
        """Make a data folder, with the keys of the first one."""
        home = Home(self.folder / name / "d")
        home.prepare()
        if self.houses:
            for key in ("vault.key", "run.key"):
                shutil.copy(self.houses[0].home.keys / key, home.keys / key)
        return home

    def process(self, home: Home, **options: str) -> Process:
        """Make a router's process, not started."""
        chosen = {"port": "0", "embedded": "off", **self.options, **options}
        words = [word for name, value in chosen.items() for word in ("--set", f"{name}={value}")]
        environment = {"SIGNET_ROUTER_DATABASE": self.url} if "database" not in options else {}
        return Process(home.root.parent, "router", "--data", str(home.root), *words, environment=environment)

    async def open(self, name: str) -> House:
        """Start a router and wait until it is ready."""
        home = self.home(name)
        process = self.process(home)
        tokens = FakeTokens({OPERATOR: "OPERATOR"})
        await self.stack.enter_async_context(fake_tokens.serving(home.socket("control.sock"), tokens))
        await process.start()
        self.stack.push_async_callback(_end, process)
        await process.ready()
        transport = httpx.AsyncHTTPTransport(uds=str(home.socket("door.sock")))
        client = httpx.AsyncClient(transport=transport, base_url="http://door", timeout=60)
        house = House(
            home,
            process,
            await self.stack.enter_async_context(client),
            await self.stack.enter_async_context(dial.channel(home.target("router.sock"), OPERATOR)),
        )
        self.houses.append(house)
        return house


async def _end(process: Process) -> None:
    if process.code is None:
        await process.stop()
    else:
        process._notices.close()


@asynccontextmanager
async def street(folder: Path, url: str, **options: str) -> AsyncIterator[Street]:
    """Have routers on a database for as long as the context lasts."""
    async with AsyncExitStack() as stack:
        yield Street(folder, url, options, stack)
