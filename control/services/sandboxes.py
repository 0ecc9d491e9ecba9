"""SandboxService: sandboxes, and callers' streams into them."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from control.lookup import sandbox_in
from control.pages import within
from control.relay import ATTACH_SECONDS, Relay, Relays
from control.store import sandboxes as store
from control.store.readers import Readers
from control.store.sandboxes import STOP, STOP_FORCED, Sandbox
from control.store.writer import Transaction, Writer
from control.streams import first_of
from control.visits import Visits
from signet.kit.errors import DeadlineExceeded, FailedPrecondition, invalid
from signet.kit.names import parse, short
from signet.kit.paging import Page
from signet.v1 import sandboxes_pb2, sandboxes_pb2_grpc

_START_SECONDS = 15.0
_CHUNK = 256 * 1024
_MAX_SIZE = 1000
_MAX_SIGNAL = 64
_MAX_SECONDS = 86_400


class SandboxService(sandboxes_pb2_grpc.SandboxServiceServicer):
    """Serves sandboxes."""

    def __init__(self, *, readers: Readers, writer: Writer, relays: Relays, visits: Visits) -> None:
        self._readers = readers
        self._writer = writer
        self._relays = relays
        self._visits = visits

    async def ListSandboxes(
        self, request: sandboxes_pb2.ListSandboxesRequest, _context: object
    ) -> sandboxes_pb2.ListSandboxesResponse:
        """Give a page of sandboxes."""
        page = Page.parse(request)
        after = str(page.position[0]) if page.position else ""
        agent = parse("agents", request.agent, "agent") if request.agent else ""
        found = await self._readers.read(partial(store.page, after=after, limit=page.size + 1, agent=agent))
        shown = within([_sandbox(row) for row in found[: page.size]])
        more = page.token(short(shown[-1].name)) if len(found) > len(shown) else ""
        return sandboxes_pb2.ListSandboxesResponse(sandboxes=shown, next_page_token=more)

    async def GetSandbox(
        self, request: sandboxes_pb2.GetSandboxRequest, _context: object
    ) -> sandboxes_pb2.GetSandboxResponse:
        """Give a sandbox."""
        ident = parse("sandboxes", request.name)
        found = await self._readers.read(partial(sandbox_in, ident=ident))
        return sandboxes_pb2.GetSandboxResponse(sandbox=_sandbox(found))

    async def StopSandbox(
        self, request: sandboxes_pb2.StopSandboxRequest, _context: object
    ) -> sandboxes_pb2.StopSandboxResponse:
        """Have a sandbox closed."""
        worker = await self._writer.write(partial(_stop, parse("sandboxes", request.name), force=request.force))
        self._relays.bells.ring(f"workers/{worker}")
        return sandboxes_pb2.StopSandboxResponse()

    async def ExecSandbox(  # type: ignore[override] # it writes to the context itself, so a cancel ends it at once
        self, request_iterator: AsyncIterator[sandboxes_pb2.ExecSandboxRequest], context: Any
    ) -> None:
        """Run a command in a sandbox, with its streams."""
        requests = aiter(request_iterator)
        first = await _first(requests)
        visit = await self._visits.find(first.start.target)
        with self._relays.opened(visit.worker, visit.order) as relay:
            await relay.inward.put(first)
            await first_of(_send(requests, relay), _receive(relay, context))

    async def WatchSandboxLogs(  # type: ignore[override] # as above
        self, request: sandboxes_pb2.WatchSandboxLogsRequest, context: Any
    ) -> None:
        """Send what a sandbox's log keeps, and follow it."""
        parse("sandboxes", request.name)
        visit = await self._visits.find(request.name)
        visit.order.logs, visit.order.follow = True, request.follow
        with self._relays.opened(visit.worker, visit.order) as relay:
            await relay.come(ATTACH_SECONDS)
            while (message := await relay.answer()) is not None:
                if message.HasField("log"):
                    await context.write(message.log)


async def _first(requests: AsyncIterator[sandboxes_pb2.ExecSandboxRequest]) -> sandboxes_pb2.ExecSandboxRequest:
    try:
        async with asyncio.timeout(_START_SECONDS):
            first = await anext(requests, None)
    except TimeoutError:
        message = f"no first message came within {_START_SECONDS:g} seconds"
        raise DeadlineExceeded("INVALID_FIELD", message) from None
    if first is None or not first.HasField("start"):
        raise invalid(("start", "must be the first message"))
    problems: list[tuple[str, str]] = []
    command = first.start.command
    if first.start.WhichOneof("what") is None:
        problems.append(("start", "exactly one of command, unpack and pack must be set"))
    if not 0 <= command.max_seconds <= _MAX_SECONDS:
        problems.append(("start.command.max_seconds", f"must be 0 (for no limit) to {_MAX_SECONDS}"))
    if command.HasField("terminal") and not _is_size(command.terminal):
        problems.append(("start.command.terminal", f"rows and columns must be 1 to {_MAX_SIZE}"))
    if problems:
        raise invalid(*problems)
    return first


async def _send(requests: AsyncIterator[sandboxes_pb2.ExecSandboxRequest], relay: Relay) -> None:
    """Pass the caller's messages on as fast as the worker takes them; it stays when the caller has no more."""
    async for request in requests:
        _check(request)
        await relay.inward.put(request)
        if request.HasField("stdin_end"):
            relay.spoken.set()
    relay.spoken.set()
    await relay.gone()


def _check(request: sandboxes_pb2.ExecSandboxRequest) -> None:
    kind = request.WhichOneof("kind")
    if kind in {None, "start"}:
        raise invalid(("kind", "must be one of stdin, stdin_end, resize and signal after the first message"))
    if len(request.stdin) > _CHUNK:
        raise invalid(("stdin", f"must be at most {_CHUNK} bytes a message, not {len(request.stdin)}"))
    if kind == "resize" and not _is_size(request.resize):
        raise invalid(("resize", f"rows and columns must be 1 to {_MAX_SIZE}"))
    if kind == "signal" and not 1 <= request.signal <= _MAX_SIGNAL:
        raise invalid(("signal", f"must be 1 to {_MAX_SIGNAL}, not {request.signal}"))


def _is_size(size: sandboxes_pb2.TerminalSize) -> bool:
    return 1 <= size.rows <= _MAX_SIZE and 1 <= size.columns <= _MAX_SIZE


async def _receive(relay: Relay, context: Any) -> None:
    """Pass on what the command says, until it ended."""
    await relay.come(ATTACH_SECONDS)
    while (message := await relay.answer()) is not None:
        if message.HasField("exec"):
            await context.write(message.exec)
        if message.exec.HasField("exited"):
            return await relay.hear_out()
    return None


def _stop(ident: str, transaction: Transaction, *, force: bool) -> str:
    found = sandbox_in(transaction.connection, ident)
    if found.run and not force:
        raise FailedPrecondition(
            "SANDBOX_BUSY",
            f"runs/{found.run} is in sandboxes/{ident}",
            hint="wait for it, cancel it, or use force, with which it fails",
        )
    store.set_stop(transaction.connection, ident, max(found.stop, STOP_FORCED if force else STOP))
    return found.worker


def _sandbox(row: Sandbox) -> sandboxes_pb2.Sandbox:
    found = sandboxes_pb2.Sandbox.FromString(row.payload)
    if row.stop:
        found.state = sandboxes_pb2.SANDBOX_STATE_STOPPING
    return found
