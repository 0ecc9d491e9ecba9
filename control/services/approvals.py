"""ApprovalService: the questions that agents put to people, and the grants that answers make."""

from collections.abc import AsyncIterator
from functools import partial

from control import effective, questions
from control.approvals import Answer, Approvals
from control.bells import ORDERS, Bells
from control.lookup import approval_in, grant_in
from control.pages import within
from control.store import approvals as store
from control.store import grants
from control.store.grants import Grant
from control.store.readers import Readers
from control.store.writer import Transaction, Writer
from signet.kit.auth import current_caller
from signet.kit.errors import invalid
from signet.kit.log import Log
from signet.kit.names import parse, short
from signet.kit.paging import Page
from signet.kit.times import now_micros
from signet.v1 import approvals_pb2, approvals_pb2_grpc, policies_pb2

_MAX_HOLD = 31_536_000
_ANSWERS = (approvals_pb2.APPROVAL_STATE_APPROVED, approvals_pb2.APPROVAL_STATE_DENIED)


class ApprovalService(approvals_pb2_grpc.ApprovalServiceServicer):
    """Serves approvals and grants."""

    def __init__(self, *, readers: Readers, writer: Writer, bells: Bells, asked: Approvals, log: Log) -> None:
        self._readers = readers
        self._writer = writer
        self._bells = bells
        self._approvals = asked
        self._log = log

    async def ListApprovals(
        self, request: approvals_pb2.ListApprovalsRequest, _context: object
    ) -> approvals_pb2.ListApprovalsResponse:
        """Give a page of approvals."""
        page = Page.parse(request)
        known = approvals_pb2.ApprovalState.values()
        bad = [
            (f"states[{index}]", f"{state} is no state")
            for index, state in enumerate(request.states)
            if state not in known or state == approvals_pb2.APPROVAL_STATE_UNSPECIFIED
        ]
        if bad:
            raise invalid(*bad)
        agent = parse("agents", request.agent, "agent") if request.agent else ""
        wanted = store.Filter(agent, tuple(request.states), str(page.position[0]) if page.position else "")
        found = await self._readers.read(partial(store.page, wanted=wanted, limit=page.size + 1))
        shown = within([questions.message(approval) for approval in found[: page.size]])
        more = page.token(short(shown[-1].name)) if len(found) > len(shown) else ""
        return approvals_pb2.ListApprovalsResponse(approvals=shown, next_page_token=more)

    async def GetApproval(
        self, request: approvals_pb2.GetApprovalRequest, _context: object
    ) -> approvals_pb2.GetApprovalResponse:
        """Give an approval."""
        found = await self._readers.read(partial(approval_in, ident=parse("approvals", request.name)))
        return approvals_pb2.GetApprovalResponse(approval=questions.message(found))

    async def AnswerApproval(
        self, request: approvals_pb2.AnswerApprovalRequest, _context: object
    ) -> approvals_pb2.AnswerApprovalResponse:
        """Answer a question."""
        found = await self._approvals.answer(_answer(request))
        self._log.info("approval_answered", approval=found.id, state=found.state, caller=found.caller)
        return approvals_pb2.AnswerApprovalResponse(approval=questions.message(found))

    async def WatchApprovals(
        self, _request: approvals_pb2.WatchApprovalsRequest, _context: object
    ) -> AsyncIterator[approvals_pb2.WatchApprovalsResponse]:
        """Give those that wait, then each as it changes."""
        async for approval in self._approvals.watch():
            yield approvals_pb2.WatchApprovalsResponse(approval=questions.message(approval))

    async def ListGrants(
        self, request: approvals_pb2.ListGrantsRequest, _context: object
    ) -> approvals_pb2.ListGrantsResponse:
        """Give a page of grants."""
        page = Page.parse(request)
        agent = parse("agents", request.agent, "agent") if request.agent else ""
        before = str(page.position[0]) if page.position else ""
        query = partial(grants.page, before=before, agent=agent, ended=request.show_ended, now=now_micros())
        found = await self._readers.read(partial(query, limit=page.size + 1))
        shown = within([effective.grant_message(grant) for grant in found[: page.size]])
        more = page.token(short(shown[-1].name)) if len(found) > len(shown) else ""
        return approvals_pb2.ListGrantsResponse(grants=shown, next_page_token=more)

    async def RevokeGrant(
        self, request: approvals_pb2.RevokeGrantRequest, _context: object
    ) -> approvals_pb2.RevokeGrantResponse:
        """End a grant at once."""
        caller = current_caller().name
        found = await self._writer.write(partial(_revoke, parse("grants", request.name), caller, self._bells))
        self._log.info("grant_revoked", grant=found.id, caller=caller)
        return approvals_pb2.RevokeGrantResponse(grant=effective.grant_message(found))


def _answer(request: approvals_pb2.AnswerApprovalRequest) -> Answer:
    problems: list[tuple[str, str]] = []
    yes = request.answer == approvals_pb2.APPROVAL_STATE_APPROVED
    if request.answer not in _ANSWERS:
        problems.append(("answer", "must be APPROVED or DENIED"))
    if request.scope not in policies_pb2.GrantScope.values():
        problems.append(("scope", "must be RUN, SESSION or AGENT, or unset"))
    if not 0 <= request.hold_seconds <= _MAX_HOLD:
        problems.append(("hold_seconds", f"must be 0 (for always) to {_MAX_HOLD}, not {request.hold_seconds}"))
    if problems:
        raise invalid(*problems)
    ident = parse("approvals", request.name)
    return Answer(ident, yes, request.scope, request.hold_seconds, current_caller().name)


def _revoke(ident: str, caller: str, bells: Bells, transaction: Transaction) -> Grant:
    found = grant_in(transaction.connection, ident)
    if not found.holds(transaction.now):
        return found
    grants.revoke(transaction.connection, ident, transaction.now, caller)
    transaction.after(partial(bells.ring, ORDERS))
    return grant_in(transaction.connection, ident)
