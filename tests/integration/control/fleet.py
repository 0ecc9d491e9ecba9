"""Control served whole in this process, over real gRPC and a real database, and what tests ask of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from control.app import serve
from control.options import Options
from signet.kit import dial
from signet.kit.errors import SignetError, from_rpc
from signet.kit.home import Home
from signet.kit.times import now_micros, stamp
from signet.v1 import (
    agents_pb2_grpc,
    approvals_pb2_grpc,
    events_pb2,
    policies_pb2_grpc,
    runs_pb2,
    runs_pb2_grpc,
    sandboxes_pb2,
    sandboxes_pb2_grpc,
    sessions_pb2_grpc,
    souls_pb2_grpc,
    tokens_pb2_grpc,
    workers_pb2_grpc,
)
from signet.work.v1 import work_pb2, work_pb2_grpc
from tests.fakes import models

WORKER = "workers/one"
FINAL = {runs_pb2.RUN_STATE_SUCCEEDED, runs_pb2.RUN_STATE_FAILED, runs_pb2.RUN_STATE_CANCELLED}


def event(sequence: int, **kind: Any) -> events_pb2.RunEvent:
    """Make an event as a worker sends it; a piece of text where no kind is given."""
    made = kind or {"text": events_pb2.TextDelta(text=f"piece {sequence}")}
    return events_pb2.RunEvent(sequence=sequence, time=stamp(now_micros()), **made)


def texts(first: int, count: int) -> list[events_pb2.RunEvent]:
    """Make some pieces of text from a sequence on."""
    return [event(sequence) for sequence in range(first, first + count)]


@dataclass
class Stubs:
    """Every service of control, called with one token."""

    channel: grpc.aio.Channel
    agents: Any = field(init=False)
    runs: Any = field(init=False)
    sessions: Any = field(init=False)
    souls: Any = field(init=False)
    tokens: Any = field(init=False)
    workers: Any = field(init=False)
    policies: Any = field(init=False)
    approvals: Any = field(init=False)
    sandboxes: Any = field(init=False)
    work: Any = field(init=False)

    def __post_init__(self) -> None:
        """Make the stubs."""
        self.agents = agents_pb2_grpc.AgentServiceStub(self.channel)
        self.runs = runs_pb2_grpc.RunServiceStub(self.channel)
        self.sessions = sessions_pb2_grpc.SessionServiceStub(self.channel)
        self.souls = souls_pb2_grpc.SoulServiceStub(self.channel)
        self.tokens = tokens_pb2_grpc.TokenServiceStub(self.channel)
        self.workers = workers_pb2_grpc.WorkerServiceStub(self.channel)
        self.policies = policies_pb2_grpc.PolicyServiceStub(self.channel)
        self.approvals = approvals_pb2_grpc.ApprovalServiceStub(self.channel)
        self.sandboxes = sandboxes_pb2_grpc.SandboxServiceStub(self.channel)
        self.work = work_pb2_grpc.WorkServiceStub(self.channel)


@dataclass
class Fleet:
    """A running control: called as the operator, and as the local worker."""

    home: Home
    operator: Stubs
    worker: Stubs
    router: models.FakeModels
    stop: asyncio.Event
    """Set it, and control ends."""

    async def run(self, text: str = "Say hello", **fields: Any) -> runs_pb2.Run:
        """Make a run of the assistant."""
        named = {"agent": "agents/assistant"} if not fields.get("session") else {}
        request = runs_pb2.CreateRunRequest(input=text, **(named | fields))
        answer = await self.operator.runs.CreateRun(request)
        run: runs_pb2.Run = answer.run
        return run

    async def get(self, name: str) -> runs_pb2.Run:
        """Read a run."""
        answer = await self.operator.runs.GetRun(runs_pb2.GetRunRequest(name=name))
        run: runs_pb2.Run = answer.run
        return run

    async def register(self, worker: str = WORKER, incarnation: str = "first") -> int:
        """Begin an incarnation."""
        answer = await self.worker.work.RegisterWorker(
            work_pb2.RegisterWorkerRequest(
                worker=worker, incarnation=incarnation, capacity=4, host="here", version="0.1.0", runtimes=["builtin"]
            )
        )
        seconds: int = answer.lease_seconds
        return seconds

    async def claim(
        self, worker: str = WORKER, incarnation: str = "first", wait_seconds: int = 0
    ) -> work_pb2.Assignment | None:
        """Take a run, or None."""
        answer = await self.worker.work.ClaimRun(
            work_pb2.ClaimRunRequest(worker=worker, incarnation=incarnation, wait_seconds=wait_seconds)
        )
        return answer.assignment if answer.HasField("assignment") else None

    async def taken(self, text: str = "Say hello", **fields: Any) -> work_pb2.Assignment:
        """Make a run and take it."""
        await self.run(text, **fields)
        assignment = await self.claim()
        assert assignment is not None
        return assignment

    async def append(self, lease: work_pb2.Lease, events: Iterable[events_pb2.RunEvent]) -> int:
        """Send events; gives the newest durable sequence."""
        answer = await self.worker.work.AppendEvents(work_pb2.AppendEventsRequest(lease=lease, events=events))
        last: int = answer.last_sequence
        return last

    async def finish(self, lease: work_pb2.Lease, **fields: Any) -> runs_pb2.Run:
        """End a run, SUCCEEDED unless said otherwise."""
        ending: dict[str, Any] = {"outcome": runs_pb2.RUN_STATE_SUCCEEDED, "output": "Hello."} | fields
        answer = await self.worker.work.FinishRun(work_pb2.FinishRunRequest(lease=lease, **ending))
        run: runs_pb2.Run = answer.run
        return run

    async def report(
        self, *found: sandboxes_pb2.Sandbox, worker: str = WORKER, incarnation: str = "first"
    ) -> list[work_pb2.PolicyOrder]:
        """Say which sandboxes are open; gives the policies that they lack."""
        answer = await self.worker.work.ReportSandboxes(
            work_pb2.ReportSandboxesRequest(worker=worker, incarnation=incarnation, sandboxes=found)
        )
        return list(answer.policies)

    def directives(
        self, worker: str = WORKER, incarnation: str = "first"
    ) -> "AsyncIterator[work_pb2.WatchDirectivesResponse]":
        """Watch a worker's directives."""
        request = work_pb2.WatchDirectivesRequest(worker=worker, incarnation=incarnation)
        return aiter(self.worker.work.WatchDirectives(request, timeout=60))

    async def events(self, run: str, after: int = 0, *, replay_only: bool = False) -> list[events_pb2.RunEvent]:
        """Watch a run until its end, or to the end of the replay."""
        request = runs_pb2.WatchRunEventsRequest(name=run, after_sequence=after, replay_only=replay_only)
        return [found async for batch in self.operator.runs.WatchRunEvents(request) for found in batch.events]

    async def until(self, run: str, kind: str) -> events_pb2.RunEvent:
        """Watch a run until an event of a kind comes."""
        request = runs_pb2.WatchRunEventsRequest(name=run)
        async for batch in self.operator.runs.WatchRunEvents(request, timeout=20):
            found: events_pb2.RunEvent
            for found in batch.events:
                if found.WhichOneof("kind") == kind:
                    return found
        raise AssertionError(f"{run} ended without {kind}")


async def told(directives: AsyncIterator[work_pb2.WatchDirectivesResponse], kind: str) -> work_pb2.Directive:
    """Wait for a directive of a kind."""
    async with asyncio.timeout(20):
        async for answer in directives:
            if answer.directive.WhichOneof("kind") == kind:
                return answer.directive
    raise AssertionError(f"no {kind} came")


async def refused(call: Any) -> SignetError:
    """Give the error that a call ends with."""
    try:
        if hasattr(call, "__aiter__"):
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return from_rpc(error)
    raise AssertionError("the call was not refused")


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so, half a minute at most."""
    async with asyncio.timeout(30):
        while True:
            if await check():
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def dialled(home: Home) -> AsyncIterator[tuple[Stubs, Stubs]]:
    """Call a running control as the operator and as the worker."""
    target = home.target("control.sock")
    async with (
        dial.channel(target, (home.tokens / "operator").read_text().strip()) as operator,
        dial.channel(target, (home.tokens / "worker").read_text().strip()) as worker,
    ):
        yield Stubs(operator), Stubs(worker)


@asynccontextmanager
async def called(root: Path) -> AsyncIterator[Fleet]:
    """Call a control that is a process of its own, beside a fake router."""
    home, fake = Home(root), models.FakeModels()
    async with models.serving(home.socket("router.sock"), fake), dialled(home) as (operator, worker):
        yield Fleet(home, operator, worker, fake, asyncio.Event())


@asynccontextmanager
async def running(root: Path, *, router: bool = True, **options: Any) -> AsyncIterator[Fleet]:
    """Serve control on a data folder, beside a fake router, without TCP."""
    home = Home(root)
    home.prepare()
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(home, Options(**({"port": 0} | options)), stop))
    fake = models.FakeModels()
    try:
        async with models.serving(home.socket("router.sock"), fake) if router else _nothing():
            await _ready(home, serving)
            async with dialled(home) as (operator, worker):
                yield Fleet(home, operator, worker, fake, stop)
    finally:
        stop.set()
        await serving


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


async def _ready(home: Home, serving: "asyncio.Task[int]") -> None:
    """Wait until control answers."""
    async with asyncio.timeout(20):
        while not (home.tokens / "worker").exists() or not home.socket("control.sock").exists():
            if serving.done():
                await serving
            await asyncio.sleep(0.01)
        async with dial.channel(home.target("control.sock")) as channel:
            await channel.channel_ready()
