"""Workers: the hosts that run agents."""

from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.v1 import workers_pb2 as pb
from signet.v1.workers_pb2_grpc import WorkerServiceStub

if TYPE_CHECKING:
    from signet.v1.workers_pb2_grpc import WorkerServiceAsyncStub


class AsyncWorkers:
    """The hosts of a fleet. Names may be short or `workers/{worker}`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "WorkerServiceAsyncStub":
        return WorkerServiceStub(self._connection.channels.control)

    async def get(self, name: str) -> pb.Worker:
        """Give one worker with its isolation report. Raises NotFound."""
        request = pb.GetWorkerRequest(name=qualify("workers", name))
        return (await self._connection.call(self._stub.GetWorker, request)).worker

    def list(self, *, page_size: int = 0, page_token: str = "") -> Pages[pb.ListWorkersResponse, pb.Worker]:
        """Give all workers by name."""
        request = pb.ListWorkersRequest(page_size=page_size, page_token=page_token)
        return Pages(self._connection, lambda: self._stub.ListWorkers, request, lambda page: page.workers)

    async def drain(self, name: str) -> pb.Worker:
        """Let a worker finish what it has and give it nothing new. Raises NotFound."""
        return await self._drain(name, draining=True)

    async def undrain(self, name: str) -> pb.Worker:
        """Give a drained worker work again. Raises NotFound."""
        return await self._drain(name, draining=False)

    async def _drain(self, name: str, *, draining: bool) -> pb.Worker:
        request = pb.DrainWorkerRequest(name=qualify("workers", name), draining=draining)
        return (await self._connection.call(self._stub.DrainWorker, request)).worker
