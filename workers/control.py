"""What a worker asks of control: each call with its deadline, each error as one of ours."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import grpc

from signet.kit.errors import FailedPrecondition, SignetError, from_rpc
from signet.kit.names import uuid7
from signet.v1 import approvals_pb2, sandboxes_pb2
from signet.work.v1 import work_pb2, work_pb2_grpc

CHUNK_BYTES = 256 * 1024
CALL_SECONDS = 10.0

Answer = TypeVar("Answer")


class LeaseLost(Exception):
    """The right to a run, or to the worker's name, is another's by now."""


def stale(error: SignetError) -> bool:
    """Whether an error says that a lease or an incarnation is over."""
    return isinstance(error, FailedPrecondition) and error.reason == "LEASE_LOST"


class Control:
    """WorkService for one worker. Every method raises SignetError."""

    def __init__(self, channel: grpc.aio.Channel, worker: str) -> None:
        self.worker = worker
        self.incarnation = uuid7()
        self._stub = work_pb2_grpc.WorkServiceStub(channel)

    async def register(self, request: work_pb2.RegisterWorkerRequest) -> int:
        """Begin a new incarnation; every lease of the one before is void. Gives the lease's seconds."""
        incarnation = uuid7()
        request.worker, request.incarnation = self.worker, incarnation
        answer = await _asked(self._stub.RegisterWorker(request, timeout=CALL_SECONDS))
        self.incarnation = incarnation
        return answer.lease_seconds

    async def claim(self, wait_seconds: int) -> work_pb2.Assignment | None:
        """Wait for a run."""
        request = work_pb2.ClaimRunRequest(worker=self.worker, incarnation=self.incarnation, wait_seconds=wait_seconds)
        answer = await _asked(self._stub.ClaimRun(request, timeout=wait_seconds + CALL_SECONDS))
        return answer.assignment if answer.HasField("assignment") else None

    async def renew(
        self, leases: Iterable[work_pb2.Lease], sandboxes: int, seconds: float
    ) -> work_pb2.RenewLeasesResponse:
        """Keep leases."""
        request = work_pb2.RenewLeasesRequest(
            worker=self.worker, incarnation=self.incarnation, leases=leases, sandboxes=sandboxes
        )
        return await _asked(self._stub.RenewLeases(request, timeout=seconds))

    async def directives(self) -> AsyncIterator[work_pb2.Directive]:
        """Follow what is to be done, until control ends it."""
        request = work_pb2.WatchDirectivesRequest(worker=self.worker, incarnation=self.incarnation)
        try:
            async for answer in self._stub.WatchDirectives(request):
                yield answer.directive
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error

    async def append(self, request: work_pb2.AppendEventsRequest, seconds: float) -> int:
        """Store events; gives the newest sequence that is durable."""
        return (await _asked(self._stub.AppendEvents(request, timeout=seconds))).last_sequence

    async def put(self, lease: work_pb2.Lease, digest: str, body: bytes, seconds: float) -> None:
        """Store a body."""
        await _asked(self._stub.PutBlob(_chunks(lease, digest, body), timeout=seconds))

    async def finish(self, request: work_pb2.FinishRunRequest, seconds: float) -> None:
        """End a run."""
        await _asked(self._stub.FinishRun(request, timeout=seconds))

    async def report_sandboxes(self, sandboxes: Iterable[sandboxes_pb2.Sandbox]) -> Sequence[work_pb2.PolicyOrder]:
        """Tell every sandbox that is open; gives the policies that any of them lack."""
        request = work_pb2.ReportSandboxesRequest(worker=self.worker, incarnation=self.incarnation, sandboxes=sandboxes)
        return (await _asked(self._stub.ReportSandboxes(request, timeout=CALL_SECONDS))).policies

    async def ask_approval(self, request: work_pb2.AskApprovalRequest) -> approvals_pb2.Approval:
        """Put a question to a person; the approval may be final already. The same question waits once."""
        return (await _asked(self._stub.AskApproval(request, timeout=CALL_SECONDS))).approval

    async def attach(
        self, messages: AsyncIterator[work_pb2.AttachRequest]
    ) -> AsyncGenerator[work_pb2.AttachResponse, None]:
        """Serve a caller's stream: send `messages`, give what the caller sends, until either end is through.

        Whoever leaves it earlier closes it, `aclosing`.
        """
        call = self._stub.Attach(messages)
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()  # of no effect at its end; left earlier, it would go on sending


async def _asked(call: Awaitable[Answer]) -> Answer:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error


async def _chunks(lease: work_pb2.Lease, digest: str, body: bytes) -> AsyncIterator[work_pb2.PutBlobRequest]:
    yield work_pb2.PutBlobRequest(digest=digest, chunk=body[:CHUNK_BYTES], lease=lease)
    for start in range(CHUNK_BYTES, len(body), CHUNK_BYTES):
        yield work_pb2.PutBlobRequest(chunk=body[start : start + CHUNK_BYTES])


Attempt = Callable[[float], Awaitable[Answer]]
"""A call that may be repeated, given the seconds it has."""
