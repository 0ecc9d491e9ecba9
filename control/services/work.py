"""WorkService: what workers call. Runs and leases are named by them, and fenced by their generation."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from control import appends, endings, questions, reports
from control.approvals import Approvals
from control.bells import Bells
from control.blobs import CHUNK, Blobs
from control.endings import Ending
from control.fleet import Fleet
from control.leases import lost
from control.lookup import run_in
from control.relay import ATTACH_SECONDS, Relay, Relays
from control.reports import Reports
from control.scheduler import Scheduler
from control.store import leases, runs
from control.store.readers import Readers
from control.store.workers import Worker
from control.store.writer import Transaction, Writer
from control.streams import first_of
from signet.kit.errors import invalid
from signet.kit.log import Log
from signet.kit.names import parse, parse_slug
from signet.kit.times import now_micros
from signet.v1 import runs_pb2
from signet.work.v1 import work_pb2, work_pb2_grpc

_MAX_CAPACITY = 1000
_MAX_WORD = 200
_MAX_RUNTIMES = 16
_MAX_WAIT = 60
_MAX_LEASES = 1000
_MAX_ERROR = 8192
_MAX_OUTPUT = 1024 * 1024
_MAX_MESSAGES = 2 * 1024 * 1024
_OUTCOMES = {runs_pb2.RUN_STATE_SUCCEEDED, runs_pb2.RUN_STATE_FAILED, runs_pb2.RUN_STATE_CANCELLED}
_REASONS = {
    "CANCELLED", "WORKER_LOST", "RUNTIME_CRASHED", "RUNTIME_FLOODED", "DEADLINE_EXCEEDED", "ROUNDS_EXHAUSTED",
    "REPEATED_TOOL_FAILURE", "MODEL_UNAVAILABLE", "MODEL_ERROR", "MODEL_NOT_ALLOWED", "CONTEXT_TOO_LONG",
    "SANDBOX_FAILED", "INTERNAL",
}  # fmt: skip


@dataclass(frozen=True)
class Parts:
    """What the work protocol is served with."""

    readers: Readers
    writer: Writer
    bells: Bells
    scheduler: Scheduler
    fleet: Fleet
    reports: Reports
    approvals: Approvals
    relays: Relays
    blobs: Blobs
    bounds: appends.Bounds
    log: Log


class WorkService(work_pb2_grpc.WorkServiceServicer):
    """Serves workers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def RegisterWorker(
        self, request: work_pb2.RegisterWorkerRequest, _context: object
    ) -> work_pb2.RegisterWorkerResponse:
        """Begin an incarnation."""
        worker = _worker(request)
        void = await self._parts.fleet.register(worker)
        self._parts.log.info("worker_registered", worker=worker.id, incarnation=worker.incarnation, void_leases=void)
        return work_pb2.RegisterWorkerResponse(lease_seconds=self._parts.fleet.lease_seconds)

    async def ClaimRun(self, request: work_pb2.ClaimRunRequest, _context: object) -> work_pb2.ClaimRunResponse:
        """Wait for a run."""
        worker = parse("workers", request.worker, "worker")
        if not 0 <= request.wait_seconds <= _MAX_WAIT:
            raise invalid(("wait_seconds", f"must be 0 to {_MAX_WAIT}, not {request.wait_seconds}"))
        found = await self._parts.scheduler.claim(worker, request.incarnation, request.wait_seconds)
        return work_pb2.ClaimRunResponse(assignment=found)

    async def RenewLeases(self, request: work_pb2.RenewLeasesRequest, _context: object) -> work_pb2.RenewLeasesResponse:
        """Keep leases."""
        worker = parse("workers", request.worker, "worker")
        if len(request.leases) > _MAX_LEASES:
            raise invalid(("leases", f"must be at most {_MAX_LEASES}"))
        held = [(parse("runs", lease.run, "leases.run"), lease.generation) for lease in request.leases]
        gone, orders = await self._parts.fleet.renew(worker, request.incarnation, held, max(request.sandboxes, 0))
        return work_pb2.RenewLeasesResponse(lost=[f"runs/{run}" for run in gone], directives=orders.all())

    async def WatchDirectives(
        self, request: work_pb2.WatchDirectivesRequest, _context: object
    ) -> AsyncIterator[work_pb2.WatchDirectivesResponse]:
        """Tell a worker what to do, as it comes."""
        worker = parse("workers", request.worker, "worker")
        async for directive in self._parts.fleet.directives(worker, request.incarnation):
            yield work_pb2.WatchDirectivesResponse(directive=directive)

    async def AppendEvents(
        self, request: work_pb2.AppendEventsRequest, _context: object
    ) -> work_pb2.AppendEventsResponse:
        """Keep events."""
        run, generation = _lease(request.lease)
        batch = appends.check(run, generation, request.events)
        parts = self._parts
        last = await parts.writer.write(partial(appends.append, batch=batch, bells=parts.bells, bounds=parts.bounds))
        return work_pb2.AppendEventsResponse(last_sequence=last)

    async def PutBlob(
        self, request_iterator: AsyncIterator[work_pb2.PutBlobRequest], _context: object
    ) -> work_pb2.PutBlobResponse:
        """Keep a body."""
        first = await anext(aiter(request_iterator), None)
        if first is None:
            raise invalid(("digest", "must be in the first message"))
        run, generation = _lease(first.lease)
        lease = await self._parts.readers.read(partial(leases.get, run=run))
        if lease is None or lease.generation != generation or lease.expire_time <= now_micros():
            raise lost(run, generation)
        if not self._parts.blobs.has(first.digest):
            await self._parts.blobs.put(first.digest, _chunks(first, request_iterator))
        return work_pb2.PutBlobResponse()

    async def FinishRun(self, request: work_pb2.FinishRunRequest, _context: object) -> work_pb2.FinishRunResponse:
        """End a run and seal its record."""
        run, generation = _lease(request.lease)
        ending = _ending(request)
        batch = appends.check(run, generation, request.events)
        finished = await self._parts.writer.write(partial(self._finish, batch, ending))
        state = runs_pb2.RunState.Name(finished.state)
        self._parts.log.info("run_finished", run=run, state=state, reason=finished.error.reason)
        return work_pb2.FinishRunResponse(run=finished)

    async def ReportSandboxes(
        self, request: work_pb2.ReportSandboxesRequest, _context: object
    ) -> work_pb2.ReportSandboxesResponse:
        """Keep what is open at a worker."""
        worker = parse("workers", request.worker, "worker")
        found = reports.check(worker, request.sandboxes)
        lacking = await self._parts.reports.report(worker, request.incarnation, found)
        return work_pb2.ReportSandboxesResponse(policies=lacking)

    async def AskApproval(self, request: work_pb2.AskApprovalRequest, _context: object) -> work_pb2.AskApprovalResponse:
        """Put a question to a person."""
        found = await self._parts.approvals.ask(questions.check(request))
        self._parts.log.info("approval_asked", approval=found.id, run=found.run, agent=found.agent)
        return work_pb2.AskApprovalResponse(approval=questions.message(found))

    async def Attach(  # type: ignore[override] # it writes to the context itself, so a cancel ends it at once
        self, request_iterator: AsyncIterator[work_pb2.AttachRequest], context: Any
    ) -> None:
        """Serve a caller's stream by a worker's."""
        requests = aiter(request_iterator)
        try:
            async with asyncio.timeout(ATTACH_SECONDS):
                first = await anext(requests, None)
        except TimeoutError:
            first = None
        if first is None:
            raise invalid(("id", f"must be in the first message, within {ATTACH_SECONDS:g} seconds"))
        relay = self._parts.relays.take(first.id)
        await first_of(relay.feed(first, requests), _pass_on(relay, context), relay.gone())

    def _finish(self, batch: appends.Batch, ending: Ending, transaction: Transaction) -> runs_pb2.Run:
        row = runs.row(transaction.connection, batch.run)
        if row and row.final and row.generation == batch.generation:
            return run_in(transaction.connection, batch.run)  # this holder said so before
        appends.append(transaction, batch, self._parts.bells, None)
        return endings.finish(transaction, batch.run, ending, self._parts.bells)


def _worker(request: work_pb2.RegisterWorkerRequest) -> Worker:
    problems: list[tuple[str, str]] = []
    if not 1 <= request.capacity <= _MAX_CAPACITY:
        problems.append(("capacity", f"must be 1 to {_MAX_CAPACITY}, not {request.capacity}"))
    if not 1 <= len(request.incarnation) <= _MAX_WORD:
        problems.append(("incarnation", f"must be 1 to {_MAX_WORD} characters: a UUID made when the process started"))
    if not 1 <= len(request.runtimes) <= _MAX_RUNTIMES:
        problems.append(("runtimes", f"must be 1 to {_MAX_RUNTIMES}, for example `builtin`"))
    problems += [
        (field, f"must be at most {_MAX_WORD} characters")
        for field in ("host", "version")
        if len(getattr(request, field)) > _MAX_WORD
    ]
    if problems:
        raise invalid(*problems)
    return Worker(
        id=parse_slug("workers", request.worker, "worker"),
        incarnation=request.incarnation,
        host=request.host,
        version=request.version,
        capacity=request.capacity,
        runtimes=tuple(request.runtimes),
        isolation=request.isolation.SerializeToString(),
        sandboxes=0,
        last_seen_time=now_micros(),
        draining=False,
        active_runs=0,
    )


def _lease(lease: work_pb2.Lease) -> tuple[str, int]:
    run = parse("runs", lease.run, "lease.run")
    if lease.generation < 1:
        raise invalid(("lease.generation", f"must be 1 or more, not {lease.generation}"))
    return run, lease.generation


def _ending(request: work_pb2.FinishRunRequest) -> Ending:
    problems: list[tuple[str, str]] = []
    succeeded = request.outcome == runs_pb2.RUN_STATE_SUCCEEDED
    if request.outcome not in _OUTCOMES:
        problems.append(("outcome", "must be SUCCEEDED, FAILED or CANCELLED"))
    elif not succeeded and request.error.reason not in _REASONS:
        problems.append(("error.reason", f"must be one of RunError's reasons, not {request.error.reason[:80]!r}"))
    elif succeeded and request.HasField("error"):
        problems.append(("error", "must be unset where the run succeeded"))
    bounds = {"output": _MAX_OUTPUT, "messages": _MAX_MESSAGES}
    problems += [
        (field, f"must be at most {bound} bytes")
        for field, bound in bounds.items()
        if len(getattr(request, field).encode()) > bound
    ]
    if len(request.error.message) > _MAX_ERROR:
        problems.append(("error.message", f"must be at most {_MAX_ERROR} characters"))
    if not _is_messages(request.messages):
        problems.append(("messages", "must be a JSON array of objects"))
    if problems:
        raise invalid(*problems)
    return Ending(
        outcome=request.outcome,
        error=request.error if request.HasField("error") else None,
        output=request.output,
        messages=request.messages,
    )


def _is_messages(text: str) -> bool:
    if not text:
        return True
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, list) and all(isinstance(item, dict) for item in found)


async def _pass_on(relay: Relay, context: Any) -> None:
    """Give a worker what its caller says, as fast as it takes it, until the caller is gone."""
    while (message := await relay.inward.get()) is not None:
        await context.write(work_pb2.AttachResponse(exec=message))


async def _chunks(first: work_pb2.PutBlobRequest, rest: AsyncIterator[work_pb2.PutBlobRequest]) -> AsyncIterator[bytes]:
    message = first
    while True:
        if len(message.chunk) > CHUNK:
            raise invalid(("chunk", f"must be at most {CHUNK} bytes, not {len(message.chunk)}"))
        yield message.chunk
        following = await anext(rest, None)
        if following is None:
            return
        message = following
