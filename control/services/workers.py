"""WorkerService: the hosts that run agents."""

from functools import partial

from control.fleet import Fleet
from control.store import workers as store
from control.store.readers import Readers
from signet.kit.errors import NotFound, near
from signet.kit.names import parse
from signet.kit.paging import Page
from signet.kit.times import now_micros, stamp
from signet.v1 import events_pb2, workers_pb2, workers_pb2_grpc

_MICROS = 1_000_000


class WorkerService(workers_pb2_grpc.WorkerServiceServicer):
    """Serves workers."""

    def __init__(self, readers: Readers, fleet: Fleet) -> None:
        self._readers = readers
        self._fleet = fleet

    async def ListWorkers(
        self, request: workers_pb2.ListWorkersRequest, _context: object
    ) -> workers_pb2.ListWorkersResponse:
        """Give a page of workers."""
        page = Page.parse(request)
        after = str(page.position[0]) if page.position else ""
        found = await self._readers.read(partial(store.page, after=after, limit=page.size + 1))
        shown = found[: page.size]
        more = page.token(shown[-1].id) if len(found) > page.size else ""
        return workers_pb2.ListWorkersResponse(workers=map(self._worker, shown), next_page_token=more)

    async def GetWorker(self, request: workers_pb2.GetWorkerRequest, _context: object) -> workers_pb2.GetWorkerResponse:
        """Give a worker."""
        return workers_pb2.GetWorkerResponse(worker=await self._get(parse("workers", request.name)))

    async def DrainWorker(
        self, request: workers_pb2.DrainWorkerRequest, _context: object
    ) -> workers_pb2.DrainWorkerResponse:
        """Have a worker take nothing new, or something again."""
        ident = parse("workers", request.name)
        await self._get(ident)
        await self._fleet.drain(ident, draining=request.draining)
        return workers_pb2.DrainWorkerResponse(worker=await self._get(ident))

    async def _get(self, ident: str) -> workers_pb2.Worker:
        found = await self._readers.read(partial(store.get, ident=ident))
        if found is None:
            names = await self._readers.read(store.names)
            message = f"there is no workers/{ident}.{near(ident, names)}"
            raise NotFound("WORKER_NOT_FOUND", message, hint="signet worker list")
        return self._worker(found)

    def _worker(self, found: store.Worker) -> workers_pb2.Worker:
        state = workers_pb2.WORKER_STATE_DRAINING if found.draining else workers_pb2.WORKER_STATE_READY
        if now_micros() - found.last_seen_time > self._fleet.lease_seconds * _MICROS:
            state = workers_pb2.WORKER_STATE_LOST
        return workers_pb2.Worker(
            name=f"workers/{found.id}",
            state=state,
            host=found.host,
            version=found.version,
            capacity=found.capacity,
            active_runs=found.active_runs,
            sandboxes=found.sandboxes,
            last_seen_time=stamp(found.last_seen_time),
            isolation=events_pb2.IsolationReport.FromString(found.isolation),
            draining=found.draining,
        )
