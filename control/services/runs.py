"""RunService: dispatches agents and shows what they did."""

import re
from collections.abc import AsyncIterator
from functools import partial

from control import creation, record
from control.blobs import Blobs
from control.cancels import Cancels
from control.creation import Creation
from control.lookup import no_run, run_in
from control.pages import within
from control.store import events, stamps
from control.store import runs as store
from control.store.database import Connection
from control.store.readers import Readers
from control.watch import Watching
from signet.kit.errors import NotFound, invalid
from signet.kit.names import parse
from signet.kit.paging import Page
from signet.kit.times import micros
from signet.v1 import runs_pb2, runs_pb2_grpc

_HEX = re.compile(r"[0-9a-f]{1,64}")


class RunService(runs_pb2_grpc.RunServiceServicer):
    """Serves runs."""

    def __init__(self, *, readers: Readers, made: Creation, cancels: Cancels, watching: Watching, blobs: Blobs) -> None:
        self._readers = readers
        self._creation = made
        self._cancels = cancels
        self._watching = watching
        self._blobs = blobs

    async def CreateRun(self, request: runs_pb2.CreateRunRequest, _context: object) -> runs_pb2.CreateRunResponse:
        """Dispatch an agent once."""
        return runs_pb2.CreateRunResponse(run=await self._creation.create(creation.check(request)))

    async def GetRun(self, request: runs_pb2.GetRunRequest, _context: object) -> runs_pb2.GetRunResponse:
        """Give a run, by its name or a prefix of it."""
        ident = parse("runs", request.name)
        return runs_pb2.GetRunResponse(run=await self._readers.read(partial(_by_prefix, prefix=ident)))

    async def ListRuns(self, request: runs_pb2.ListRunsRequest, _context: object) -> runs_pb2.ListRunsResponse:
        """Give a page of runs."""
        page = Page.parse(request)
        wanted = _filter(request, str(page.position[0]) if page.position else "")
        found = await self._readers.read(partial(store.page, wanted=wanted, limit=page.size + 1))
        shown = within(found[: page.size])
        more = page.token(shown[-1].name.removeprefix("runs/")) if len(found) > len(shown) else ""
        return runs_pb2.ListRunsResponse(runs=shown, next_page_token=more)

    async def CancelRun(self, request: runs_pb2.CancelRunRequest, _context: object) -> runs_pb2.CancelRunResponse:
        """Ask a run to stop."""
        return runs_pb2.CancelRunResponse(run=await self._cancels.cancel(parse("runs", request.name)))

    async def WatchRunEvents(
        self, request: runs_pb2.WatchRunEventsRequest, _context: object
    ) -> AsyncIterator[runs_pb2.WatchRunEventsResponse]:
        """Give a run's events as they come."""
        run = parse("runs", request.name)
        if request.after_sequence < 0:
            raise invalid(("after_sequence", f"must be 0 or more, not {request.after_sequence}"))
        async for batch in self._watching.watch(run, request.after_sequence, replay_only=request.replay_only):
            yield batch

    async def GetRecord(self, request: runs_pb2.GetRecordRequest, _context: object) -> runs_pb2.GetRecordResponse:
        """Give a run's record."""
        ident = parse("runs", request.name)
        return runs_pb2.GetRecordResponse(record=await self._readers.read(partial(_record, ident=ident)))

    async def GetBlob(
        self, request: runs_pb2.GetBlobRequest, _context: object
    ) -> AsyncIterator[runs_pb2.GetBlobResponse]:
        """Give a body in chunks."""
        async for chunk in self._blobs.get(request.digest):
            yield runs_pb2.GetBlobResponse(chunk=chunk)


def _by_prefix(connection: Connection, prefix: str) -> runs_pb2.Run:
    found = store.get(connection, prefix)
    if found:
        return found
    matches = store.by_prefix(connection, prefix) if re.fullmatch(r"[0-9a-f-]{1,36}", prefix) else []
    if not matches:
        raise no_run(prefix)
    if len(matches) > 1:
        some = ", ".join(f"runs/{match}" for match in matches)
        raise NotFound("RUN_NOT_FOUND", f"several runs begin with {prefix}: {some}", hint="give more of the name")
    return run_in(connection, matches[0])


def _record(connection: Connection, ident: str) -> runs_pb2.Record:
    run = run_in(connection, ident)
    return record.build(run, events.all_of(connection, ident), stamps.texts(connection, run.stamp))


def _filter(request: runs_pb2.ListRunsRequest, before: str) -> store.Filter:
    problems: list[tuple[str, str]] = []
    for field, collection in (("agent", "agents"), ("session", "sessions"), ("model", "models")):
        value: str = getattr(request, field)
        if value and not value.startswith(f"{collection}/"):
            problems.append((field, f"must be `{collection}/…`, not {value[:80]!r}"))
    known = runs_pb2.RunState.values()
    problems += [
        (f"states[{index}]", f"{state} is no state")
        for index, state in enumerate(request.states)
        if state not in known or state == runs_pb2.RUN_STATE_UNSPECIFIED
    ]
    if request.stamp and not _HEX.fullmatch(request.stamp):
        problems.append(("stamp", "must be a digest or the beginning of one: 1 to 64 of 0-9 and a-f"))
    if problems:
        raise invalid(*problems)
    return store.Filter(
        agent=request.agent.removeprefix("agents/"),
        session=request.session.removeprefix("sessions/"),
        states=tuple(request.states),
        created_after=micros(request.created_after) if request.HasField("created_after") else None,
        created_before=micros(request.created_before) if request.HasField("created_before") else None,
        model=request.model,
        stamp=request.stamp,
        before=before,
    )
