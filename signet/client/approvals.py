"""Approvals: questions that agents put to people, and the grants that answers make."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify, qualify_optional
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.kit.errors import SignetError, Unavailable, invalid
from signet.v1 import approvals_pb2 as pb
from signet.v1 import policies_pb2
from signet.v1.approvals_pb2_grpc import ApprovalServiceStub

if TYPE_CHECKING:
    from signet.v1.approvals_pb2_grpc import ApprovalServiceAsyncStub

STATES = ("pending", "approved", "denied", "expired")
"""How an approval can stand; all but the first are final."""

SCOPES = ("run", "session", "agent")
"""How far a yes can reach: the run that asked, its session, or the agent."""

MAX_HOLD_SECONDS = 31_536_000
"""The longest time that a yes can be given: a year. Without a time it holds always."""


class AsyncApprovals:
    """The questions of a fleet's agents. Names may be an id or `approvals/{id}`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "ApprovalServiceAsyncStub":
        return ApprovalServiceStub(self._connection.channels.control)

    def list(
        self, *, states: Iterable[str] = (), agent: str = "", page_size: int = 0, page_token: str = ""
    ) -> Pages[pb.ListApprovalsResponse, pb.Approval]:
        """Give approvals, newest first; `states` are of STATES, none for all. Raises InvalidArgument for another."""
        request = pb.ListApprovalsRequest(
            states=[_state(state) for state in states],
            agent=qualify_optional("agents", agent),
            page_size=page_size,
            page_token=page_token,
        )
        return Pages(self._connection, lambda: self._stub.ListApprovals, request, lambda page: page.approvals)

    async def get(self, name: str) -> pb.Approval:
        """Give one approval. Raises NotFound."""
        request = pb.GetApprovalRequest(name=qualify("approvals", name))
        return (await self._connection.call(self._stub.GetApproval, request)).approval

    async def approve(self, name: str, *, scope: str = "", hold_seconds: int = 0) -> pb.Approval:
        """Say yes: for the run that asked unless `scope`, of SCOPES, says otherwise; for the agent where that is over.

        `hold_seconds` ends a yes for a session or agent, at most MAX_HOLD_SECONDS; 0 holds always, but an hour where
        neither is said and the run is over. Repeating it is safe. Raises NotFound, InvalidArgument, FailedPrecondition
        (answered otherwise, or its time is over).
        """
        if scope and scope not in SCOPES:
            raise invalid(("scope", f"must be one of {', '.join(SCOPES)}, not {scope!r}"))
        if not 0 <= hold_seconds <= MAX_HOLD_SECONDS:
            raise invalid(("hold_seconds", f"must be 0-{MAX_HOLD_SECONDS}, not {hold_seconds}"))
        request = pb.AnswerApprovalRequest(
            name=qualify("approvals", name),
            answer=pb.APPROVAL_STATE_APPROVED,
            scope=f"GRANT_SCOPE_{scope.upper()}" if scope else None,
            hold_seconds=hold_seconds,
        )
        return (await self._connection.call(self._stub.AnswerApproval, request)).approval

    async def deny(self, name: str) -> pb.Approval:
        """Say no. Repeating it is safe. Raises NotFound, FailedPrecondition (answered otherwise, or it is over)."""
        request = pb.AnswerApprovalRequest(name=qualify("approvals", name), answer=pb.APPROVAL_STATE_DENIED)
        return (await self._connection.call(self._stub.AnswerApproval, request)).approval

    async def watch(self) -> AsyncGenerator[pb.Approval, None]:
        """Yield those that wait, then each that is asked, answered or expires, until the caller leaves.

        Where the stream breaks, it is taken up again for as long as the connection's patience lasts; what was
        answered meanwhile is yielded too. Raises Unavailable.
        """
        patience = self._connection.patience()
        waiting: dict[str, pb.Approval] = {}
        while True:
            failure: SignetError = Unavailable("CONTROL_UNAVAILABLE", "the approvals broke off")
            try:
                for name in list(waiting):
                    found = await self.get(name)
                    if found.state != pb.APPROVAL_STATE_PENDING:
                        del waiting[name]
                        yield found
                request = pb.WatchApprovalsRequest()
                async with aclosing(self._connection.stream(self._stub.WatchApprovals, request)) as answers:
                    async for answer in answers:
                        patience.renew()
                        found = answer.approval
                        if found.state != pb.APPROVAL_STATE_PENDING:
                            waiting.pop(found.name, None)
                        elif found.name in waiting:
                            continue
                        else:
                            waiting[found.name] = found
                        yield found
            except Unavailable as error:
                failure = error
            await self._connection.outwait(patience, failure)


class AsyncGrants:
    """What was let through beyond the policies. Names may be an id or `grants/{id}`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "ApprovalServiceAsyncStub":
        return ApprovalServiceStub(self._connection.channels.control)

    def list(
        self, *, agent: str = "", show_ended: bool = False, page_size: int = 0, page_token: str = ""
    ) -> Pages[pb.ListGrantsResponse, policies_pb2.Grant]:
        """Give grants, newest first; with `show_ended` those that are over too."""
        request = pb.ListGrantsRequest(
            agent=qualify_optional("agents", agent),
            show_ended=show_ended,
            page_size=page_size,
            page_token=page_token,
        )
        return Pages(self._connection, lambda: self._stub.ListGrants, request, lambda page: page.grants)

    async def revoke(self, name: str) -> policies_pb2.Grant:
        """End a grant; what it let through is cut within a second. Repeating it is safe. Raises NotFound."""
        request = pb.RevokeGrantRequest(name=qualify("grants", name))
        return (await self._connection.call(self._stub.RevokeGrant, request)).grant


def _state(state: str) -> str:
    if state.lower() not in STATES:
        raise invalid(("states", f"must be of {', '.join(STATES)}, not {state!r}"))
    return f"APPROVAL_STATE_{state.upper()}"
