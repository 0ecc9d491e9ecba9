"""A router with several served fakes, and the words that tests of routes need."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from signet.v1 import routes_pb2 as pb
from signet.v1 import usage_pb2
from signet.v1.routes_pb2_grpc import RouteServiceStub
from signet.v1.usage_pb2_grpc import UsageServiceStub
from tests.fakes.provider import FakeProvider, Reply
from tests.unit.router.rig import OPERATOR, Rig, add

NAMES = "abcdefgh"
MODEL = "fake-small"


@dataclass(frozen=True)
class Bench:
    """A running router and its fakes, which are the providers `a`, `b`, … in this order."""

    running: Rig
    fakes: list[FakeProvider]

    @property
    def stub(self) -> Any:
        """Speak to RouteService."""
        return RouteServiceStub(self.running.channel)

    async def put(self, name: str = "fast", *targets: pb.Target, **fields: Any) -> pb.Route:
        """Keep a route; without targets, to the small model of every fake in order."""
        wanted = targets or tuple(target(NAMES[index]) for index in range(len(self.fakes)))
        route = pb.Route(name=f"routes/{name}", targets=wanted, **fields)
        kept: pb.PutRouteResponse = await self.stub.PutRoute(pb.PutRouteRequest(route=route))
        return kept.route

    async def ask(self, model: str = "fast", *, token: str = OPERATOR, **fields: Any) -> httpx.Response:
        """Ask it."""
        return await self.running.chat(model=model, token=token, **fields)

    async def explain(self, model: str = "fast", **fields: Any) -> list[pb.TargetState]:
        """Ask how its targets stand."""
        request = pb.ExplainRouteRequest(model=f"models/{model}", **fields)
        return list((await self.stub.ExplainRoute(request)).targets)

    def active(self, model: str = "fast") -> int:
        """Say how many of its calls run."""
        return sum(stop.lane.active for stop in self.running.app.fleet.lineup(model).stops if stop.lane)

    def asked(self) -> list[int]:
        """Say how often each fake was asked."""
        return [len(fake.asked) for fake in self.fakes]


async def until(done: Callable[[], bool]) -> None:
    """Wait, at most ten seconds, for something that nobody tells of."""
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 - it is seen from outside, and has no event
            await asyncio.sleep(0.01)


async def rows(bench: Bench, run: str) -> list[usage_pb2.Call]:
    """Give the ledger's rows of a run, in the order of attempts."""
    answer = await UsageServiceStub(bench.running.channel).ListCalls(usage_pb2.ListCallsRequest(run=run))
    return sorted(answer.calls, key=lambda call: call.attempts)


def target(provider: str, model: str = MODEL, **fields: Any) -> pb.Target:
    """Make a target."""
    return pb.Target(provider=f"providers/{provider}", upstream_model=model, **fields)


def text(answer: httpx.Response) -> str:
    """Give what was answered."""
    assert answer.status_code == 200, answer.text
    said: str = answer.json()["choices"][0]["message"]["content"]
    return said


def error(answer: httpx.Response) -> str:
    """Give the message of an error."""
    said: str = answer.json()["error"]["message"]
    return said


def refusing(status: int, **headers: str) -> Reply:
    """Make a reply that refuses."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, error={"message": f"because of {status}"}, headers=fields)


@asynccontextmanager
async def fakes(running: Rig, count: int) -> AsyncIterator[list[FakeProvider]]:
    """Serve so many, each of which says who it is, and add them as providers."""
    async with AsyncExitStack() as stack:
        served = []
        for name in NAMES[:count]:
            fake = FakeProvider(answer=lambda _, name=name: Reply(f"I am {name}"))  # type: ignore[misc] # its name
            served.append(await stack.enter_async_context(fake))
            await add(running, fake, name)
        yield served
