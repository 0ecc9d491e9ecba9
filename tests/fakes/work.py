"""Control as a worker sees it: WorkService really served: leases, fencing, gapless events, faults on demand."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from signet.kit import log, rpc
from signet.kit.auth import Caller
from signet.kit.errors import FailedPrecondition, SignetError, Unauthenticated, invalid
from signet.kit.names import uuid7
from signet.policy import canonical
from signet.policy.document import parse
from signet.v1 import approvals_pb2, events_pb2, policies_pb2, runs_pb2
from signet.work.v1 import work_pb2, work_pb2_grpc

TOKEN = "sgt_of-the-worker"
RUN_TOKEN = "sgr_planted-run-token"
PATIENCE_SECONDS = 30

Fault = Callable[[str, Any], SignetError | None]


@dataclass
class Lease:
    """Who holds a run, and until when."""

    generation: int
    expires: float


@dataclass
class Attached:
    """A caller's stream: what came from the worker, and what is sent to it until None."""

    came: list[work_pb2.AttachRequest] = field(default_factory=list)
    send: "asyncio.Queue[work_pb2.AttachResponse | None]" = field(default_factory=asyncio.Queue)
    ended: bool = False


@dataclass
class Work(work_pb2_grpc.WorkServiceServicer):
    """The service. `fault` may refuse a call before it has an effect, `after` once it had one; `hung` holds them up."""

    lease_seconds: int = 10
    fault: Fault = lambda _method, _request: None
    after: Fault = lambda _method, _request: None
    hung: set[str] = field(default_factory=set)
    registrations: list[work_pb2.RegisterWorkerRequest] = field(default_factory=list)
    waiting: list[work_pb2.Assignment] = field(default_factory=list)
    leases: dict[str, Lease] = field(default_factory=dict)
    events: dict[str, list[events_pb2.RunEvent]] = field(default_factory=dict)
    finished: dict[str, work_pb2.FinishRunRequest] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    sandboxes: list[int] = field(default_factory=list)
    reports: list[work_pb2.ReportSandboxesRequest] = field(default_factory=list)
    lacking: list[work_pb2.PolicyOrder] = field(default_factory=list)
    asked: list[work_pb2.AskApprovalRequest] = field(default_factory=list)
    approvals: dict[str, approvals_pb2.Approval] = field(default_factory=dict)
    attached: dict[str, Attached] = field(default_factory=dict)
    _directives: asyncio.Queue[work_pb2.Directive] = field(default_factory=asyncio.Queue)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, met: Callable[[], bool]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(met)

    async def offer(self, assignment: work_pb2.Assignment) -> str:
        """Have a run claimed; gives its name."""
        self.waiting.append(assignment)
        await self._ring()
        return assignment.run.name

    async def outcome(self, run: str) -> work_pb2.FinishRunRequest:
        """Wait for a run's end."""
        await self.until(lambda: run in self.finished)
        return self.finished[run]

    async def seen(self, run: str, kind: str, count: int = 1) -> list[events_pb2.RunEvent]:
        """Wait for that many events of a kind, give them."""
        await self.until(lambda: len(self.of(run, kind)) >= count)
        return self.of(run, kind)

    def of(self, run: str, kind: str) -> list[events_pb2.RunEvent]:
        """Give a run's events of a kind."""
        return [event for event in self.events.get(run, ()) if event.WhichOneof("kind") == kind]

    async def question(self, count: int = 1) -> approvals_pb2.Approval:
        """Wait until that many questions were asked, give the last."""
        await self.until(lambda: len(self.approvals) >= count)
        return list(self.approvals.values())[count - 1]

    def answer(self, name: str, state: "approvals_pb2.ApprovalState", caller: str = "tokens/operator") -> None:
        """Answer a question, and tell the worker."""
        approval = self.approvals[name]
        approval.state, approval.caller = state, caller
        self.direct(approval=approval)

    async def attach(self, order: work_pb2.AttachOrder) -> Attached:
        """Have the worker come for a caller; gives the stream."""
        stream = self.attached[order.id] = Attached()
        self.direct(attach=order)
        return stream

    async def hang(self, *methods: str) -> None:
        """Hold up calls of these methods, and let all others go on."""
        self.hung = set(methods)
        await self._ring()

    def direct(self, **kind: Any) -> None:
        """Tell the worker to do something."""
        self._directives.put_nowait(work_pb2.Directive(**kind))

    async def RegisterWorker(self, request: Any, context: Any) -> work_pb2.RegisterWorkerResponse:
        await self._enter("RegisterWorker", request)
        self.registrations.append(request)
        self.leases.clear()
        await self._ring()
        return work_pb2.RegisterWorkerResponse(lease_seconds=self.lease_seconds)

    async def ClaimRun(self, request: Any, context: Any) -> work_pb2.ClaimRunResponse:
        await self._enter("ClaimRun", request)
        self._current(request)
        try:
            async with asyncio.timeout(request.wait_seconds), self._changed:
                await self._changed.wait_for(lambda: bool(self.waiting))
                assignment = self.waiting.pop(0)
        except TimeoutError:
            return work_pb2.ClaimRunResponse()
        name = assignment.run.name
        self.leases[name] = Lease(assignment.lease.generation, time.monotonic() + self.lease_seconds)
        self.events[name] = []
        await self._enter("Claimed", request)
        return work_pb2.ClaimRunResponse(assignment=assignment)

    async def RenewLeases(self, request: Any, context: Any) -> work_pb2.RenewLeasesResponse:
        self.sandboxes.append(request.sandboxes)
        await self._enter("RenewLeases", request)
        self._current(request)
        lost = []
        for asked in request.leases:
            held = self.leases.get(asked.run)
            if held is None or held.generation != asked.generation or asked.run in self.lost:
                lost.append(asked.run)
            else:
                held.expires = time.monotonic() + self.lease_seconds
        return work_pb2.RenewLeasesResponse(lost=lost)

    async def WatchDirectives(self, request: Any, context: Any) -> AsyncIterator[work_pb2.WatchDirectivesResponse]:
        self._current(request)
        while True:
            yield work_pb2.WatchDirectivesResponse(directive=await self._directives.get())

    async def AppendEvents(self, request: Any, context: Any) -> work_pb2.AppendEventsResponse:
        await self._enter("AppendEvents", request)
        last = self._store(request.lease, request.events)
        await self._ring()
        self._refused(self.after("AppendEvents", request))
        return work_pb2.AppendEventsResponse(last_sequence=last)

    async def PutBlob(self, request_iterator: Any, context: Any) -> work_pb2.PutBlobResponse:
        digest, body, lease = "", b"", work_pb2.Lease()
        async for part in request_iterator:
            digest, lease = digest or part.digest, part.lease if part.HasField("lease") else lease
            body += part.chunk
        await self._enter("PutBlob", digest)
        self._fenced(lease)
        if hashlib.sha256(body).hexdigest() != digest:
            raise invalid(("digest", "it does not match"))
        self.blobs[digest] = body
        return work_pb2.PutBlobResponse()

    async def FinishRun(self, request: Any, context: Any) -> work_pb2.FinishRunResponse:
        await self._enter("FinishRun", request)
        run = request.lease.run
        if run not in self.finished:
            self._store(request.lease, request.events)
            self.finished[run] = request
            del self.leases[run]
        await self._ring()
        self._refused(self.after("FinishRun", request))
        return work_pb2.FinishRunResponse(run=runs_pb2.Run(name=run, state=request.outcome))

    async def ReportSandboxes(self, request: Any, context: Any) -> work_pb2.ReportSandboxesResponse:
        await self._enter("ReportSandboxes", request)
        self._current(request)
        self.reports.append(request)
        lacking, self.lacking = self.lacking, []
        await self._ring()
        return work_pb2.ReportSandboxesResponse(policies=lacking)

    async def AskApproval(self, request: Any, context: Any) -> work_pb2.AskApprovalResponse:
        await self._enter("AskApproval", request)
        if request.HasField("lease"):
            self._fenced(request.lease)
        waiting = [asked for asked in self.approvals.values() if _same(asked, request)]
        if not waiting:
            approval = approvals_pb2.Approval(
                name=f"approvals/{uuid7()}",
                agent=request.agent,
                run=request.lease.run,
                ask=request.ask,
                blast_radius=request.blast_radius,
                state=approvals_pb2.APPROVAL_STATE_PENDING,
            )
            self.asked.append(request)
            self.approvals[approval.name] = approval
            waiting = [approval]
        await self._ring()
        self._refused(self.after("AskApproval", request))
        return work_pb2.AskApprovalResponse(approval=waiting[0])

    async def Attach(self, request_iterator: Any, context: Any) -> AsyncIterator[work_pb2.AttachResponse]:
        first = await anext(request_iterator)
        stream = self.attached[first.id]

        async def hear() -> None:
            stream.came.append(first)
            await self._ring()
            async for message in request_iterator:
                stream.came.append(message)
                await self._ring()
            stream.send.put_nowait(None)

        hearing = asyncio.create_task(hear())
        try:
            while message := await stream.send.get():
                yield message
        finally:
            hearing.cancel()
            stream.ended = True
            await self._ring()

    def _store(self, lease: work_pb2.Lease, found: Any) -> int:
        self._fenced(lease)
        stored = self.events[lease.run]
        first = 3
        for event in found:
            expected = first + len(stored)
            if event.sequence < expected:
                continue
            if event.sequence > expected:
                raise FailedPrecondition("SEQUENCE_GAP", f"{event.sequence} came for {expected}")
            for digest in _digests(event):
                assert digest in self.blobs, "an event names a body that is not stored"
            stored.append(event)
        return first + len(stored) - 1

    def _fenced(self, lease: work_pb2.Lease) -> None:
        held = self.leases.get(lease.run)
        if held is None or held.generation != lease.generation or held.expires < time.monotonic():
            raise FailedPrecondition("LEASE_LOST", f"{lease.run} is another's")

    def _current(self, request: Any) -> None:
        if not self.registrations or request.incarnation != self.registrations[-1].incarnation:
            raise FailedPrecondition("LEASE_LOST", "register again")

    async def _enter(self, method: str, request: Any) -> None:
        self.calls.append(method)
        await self._ring()
        async with self._changed:
            await self._changed.wait_for(lambda: method not in self.hung)
        self._refused(self.fault(method, request))

    @staticmethod
    def _refused(error: SignetError | None) -> None:
        if error:
            raise error

    async def _ring(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def serving(work: Work, socket: Path) -> AsyncIterator[str]:
    """Serve it on a unix socket; gives what is dialled."""

    async def authenticate(secret: str) -> Caller:
        if secret != TOKEN:
            raise Unauthenticated("TOKEN_UNKNOWN", "no such token")
        return Caller("tokens/worker", "WORKER")

    guard = rpc.Guard(log.get("work"), authenticate, lambda _method, _caller: None)
    descriptor = work_pb2.DESCRIPTOR.services_by_name["WorkService"]
    service = rpc.Service(descriptor, work_pb2_grpc.add_WorkServiceServicer_to_server, work)
    async with rpc.serving([service], unix=socket, tcp=None, guard=guard, grace_seconds=0):
        yield f"unix:{socket}"


def assignment(text: str, *tools: work_pb2.Tool, agent: str = "scribe", **changed: Any) -> work_pb2.Assignment:
    """Make a run of the scripted runtime; `changed` are fields of the assignment."""
    name = f"runs/{uuid7()}"
    made = work_pb2.Assignment(
        run=runs_pb2.Run(name=name, agent=f"agents/{agent}", input=text),
        lease=work_pb2.Lease(run=name, generation=1),
        next_sequence=3,
        run_token=RUN_TOKEN,
        soul="You are a test.",
        history="[]",
        tools=tools,
        runtime="scripted",
    )
    made.model.name = "models/fake/small"
    made.limits.max_rounds, made.limits.max_seconds, made.limits.max_output_tokens = 24, 60, 100
    made.MergeFrom(work_pb2.Assignment(**changed))
    return made


def order(
    text: str, *grants: policies_pb2.Grant, agent: str = "scribe", version: int = 1, **changed: Any
) -> work_pb2.PolicyOrder:
    """Make what control orders of a policy's YAML; `changed` are fields of the order."""
    document = canonical.dump(parse(f"version: 1\n{text}"))
    effective = policies_pb2.EffectivePolicy(
        agent=f"agents/{agent}", policy="policies/tested", version=version, document=document, grants=grants
    )
    effective.digest = hashlib.sha256(effective.SerializeToString(deterministic=True)).hexdigest()
    return work_pb2.PolicyOrder(policy=effective, **changed)


def grant(ask: policies_pb2.Ask, subject: str = "", agent: str = "scribe") -> policies_pb2.Grant:
    """Make a grant of what was asked: of the agent, or of the run or session `subject`."""
    scope = policies_pb2.GRANT_SCOPE_AGENT
    if subject:
        in_run = subject.startswith("runs/")
        scope = policies_pb2.GRANT_SCOPE_RUN if in_run else policies_pb2.GRANT_SCOPE_SESSION
    return policies_pb2.Grant(name=f"grants/{uuid7()}", agent=f"agents/{agent}", scope=scope, subject=subject, ask=ask)


def _same(asked: approvals_pb2.Approval, request: work_pb2.AskApprovalRequest) -> bool:
    pending = asked.state == approvals_pb2.APPROVAL_STATE_PENDING
    return pending and asked.run == request.lease.run and asked.ask == request.ask


def _digests(event: events_pb2.RunEvent) -> list[str]:
    if event.WhichOneof("kind") != "model_call_finished":
        return []
    return [event.model_call_finished.request_digest, event.model_call_finished.response_digest]
