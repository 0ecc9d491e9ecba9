"""Runs: dispatches of agents, their events and their records."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify, qualify_optional, run_input, timestamp
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.kit.errors import DeadlineExceeded, Internal, SignetError, Unavailable, invalid
from signet.kit.names import uuid7
from signet.v1 import runs_pb2 as pb
from signet.v1.events_pb2 import RunEvent
from signet.v1.runs_pb2_grpc import RunServiceStub

if TYPE_CHECKING:
    from signet.v1.runs_pb2_grpc import RunServiceAsyncStub

STATES = ("pending", "running", "waiting", "succeeded", "failed", "cancelled")
"""Where a run can stand; the last three are final."""

FINAL = frozenset((pb.RUN_STATE_SUCCEEDED, pb.RUN_STATE_FAILED, pb.RUN_STATE_CANCELLED))


class AsyncRuns:
    """The runs of a fleet. Names may be an id or `runs/{id}`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "RunServiceAsyncStub":
        return RunServiceStub(self._connection.channels.control)

    async def create(
        self,
        agent: str = "",
        input: str = "",  # noqa: A002 - the field's name
        *,
        session: str = "",
        model: str = "",
        request_id: str | None = None,
    ) -> pb.Run:
        """Dispatch an agent once; durable when it returns. `agent` may be empty where `session` is given.

        `request_id` (1-128 characters; made here unless given) makes it idempotent, so it is sent again where control
        is away. Raises InvalidArgument (input empty, over 1 MiB, no UTF-8), NotFound (agent, session, model),
        AlreadyExists (the same request_id with another content), Unavailable.
        """
        request = pb.CreateRunRequest(
            agent=qualify("agents", agent) if agent or not session else "",
            session=qualify_optional("sessions", session),
            input=run_input(input),
            request_id=request_id or uuid7(),
            model=qualify_optional("models", model),
        )
        return (await self._connection.call(self._stub.CreateRun, request)).run

    async def get(self, name: str) -> pb.Run:
        """Give one run, by its id or by a beginning of it that no other run has. Raises NotFound."""
        request = pb.GetRunRequest(name=qualify("runs", name))
        return (await self._connection.call(self._stub.GetRun, request)).run

    def list(
        self,
        *,
        agent: str = "",
        session: str = "",
        states: Iterable[str] = (),
        model: str = "",
        stamp: str = "",
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        page_size: int = 0,
        page_token: str = "",
    ) -> Pages[pb.ListRunsResponse, pb.Run]:
        """Give runs, newest first, input and output cut to 4 KiB. Filters are joined by and; `states` are of STATES.

        Raises InvalidArgument for another state, and for a page token of another list.
        """
        request = pb.ListRunsRequest(
            agent=qualify_optional("agents", agent),
            session=qualify_optional("sessions", session),
            states=[_state(state) for state in states],
            model=qualify_optional("models", model),
            stamp=stamp,
            created_after=timestamp(created_after),
            created_before=timestamp(created_before),
            page_size=page_size,
            page_token=page_token,
        )
        return Pages(self._connection, lambda: self._stub.ListRuns, request, lambda page: page.runs)

    async def cancel(self, name: str) -> pb.Run:
        """Ask a run to stop and give it as it is then; a final run stays as it is. Raises NotFound."""
        request = pb.CancelRunRequest(name=qualify("runs", name))
        return (await self._connection.call(self._stub.CancelRun, request)).run

    async def watch(self, name: str, *, after: int = 0, replay_only: bool = False) -> AsyncGenerator[RunEvent, None]:
        """Yield the events after a sequence, each once and in order, until the run is final.

        Where the stream breaks, it is taken up again behind the last event, for as long as the connection's patience
        since the last event lasts. With `replay_only` it ends with what there is. Raises NotFound, OutOfRange,
        Unavailable; the run itself goes on.
        """
        name = qualify("runs", name)
        patience = self._connection.patience()
        while True:
            request = pb.WatchRunEventsRequest(name=name, after_sequence=after, replay_only=replay_only)
            failure: SignetError = Unavailable("CONTROL_UNAVAILABLE", f"the events of {name} broke off")
            try:
                async with aclosing(self._connection.stream(self._stub.WatchRunEvents, request)) as answers:
                    async for answer in answers:
                        patience.renew()
                        for event in answer.events:
                            if event.sequence <= after:
                                continue
                            if event.sequence != after + 1:
                                raise Internal("SEQUENCE_GAP", f"{name} lacks the events after {after}")
                            after = event.sequence
                            yield event
                            if event.HasField("finished"):
                                return
                if replay_only or await self._is_over(name, after):
                    return
            except Unavailable as error:
                failure = error
            await self._connection.outwait(patience, failure)

    async def wait(self, name: str, *, timeout_seconds: float | None = None) -> pb.Run:
        """Return the run when it is final. Raises DeadlineExceeded after the timeout; the run itself goes on."""
        run = await self.get(name)
        try:
            async with asyncio.timeout(timeout_seconds):
                if run.state not in FINAL:
                    async with aclosing(self.watch(run.name, after=run.last_sequence)) as events:
                        async for _ in events:
                            pass
                    run = await self.get(run.name)
        except TimeoutError as error:
            raise DeadlineExceeded(
                "DEADLINE_EXCEEDED",
                f"{run.name} is not final after {timeout_seconds:g} s",
                hint=f"signet runs watch {run.name.partition('/')[2]}",
            ) from error
        return run

    async def record(self, name: str) -> pb.Record:
        """Give the record of a run; it has a digest once the run is final. Raises NotFound."""
        request = pb.GetRecordRequest(name=qualify("runs", name))
        return (await self._connection.call(self._stub.GetRecord, request)).record

    async def blob(self, digest: str) -> bytes:
        """Give a body that a record names, at most 16 MiB. Raises NotFound, and Internal where it came damaged."""
        request = pb.GetBlobRequest(digest=digest)
        body = bytearray()
        async with aclosing(self._connection.stream(self._stub.GetBlob, request)) as answers:
            async for answer in answers:
                body += answer.chunk
        if hashlib.sha256(body).hexdigest() != digest:
            raise Internal("INTERNAL", f"the body {digest} came damaged")
        return bytes(body)

    async def _is_over(self, name: str, after: int) -> bool:
        run = await self.get(name)
        return run.state in FINAL and run.last_sequence <= after


def _state(state: str) -> str:
    if state.lower() not in STATES:
        raise invalid(("states", f"must be of {', '.join(STATES)}, not {state!r}"))
    return f"RUN_STATE_{state.upper()}"
