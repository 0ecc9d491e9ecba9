"""Questions to people: each is put to control once, and its answer comes back as a directive."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable

from signet.kit.errors import DeadlineExceeded, SignetError, Unavailable
from signet.v1 import approvals_pb2
from signet.work.v1 import work_pb2
from workers.backoff import Backoff
from workers.control import Control

GRACE_SECONDS = 15.0
"""How much longer than control an answer is waited for: it says itself when the time is over."""
KEPT = 256
"""Answers that are kept for whoever has not come to wait for them yet."""

PENDING, EXPIRED = approvals_pb2.APPROVAL_STATE_PENDING, approvals_pb2.APPROVAL_STATE_EXPIRED
APPROVED = approvals_pb2.APPROVAL_STATE_APPROVED

Asked = Callable[[approvals_pb2.Approval], None]


class Approvals:
    """The questions of this worker that wait for an answer."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._waiting: dict[str, list[asyncio.Future[approvals_pb2.Approval]]] = {}
        self._answers: OrderedDict[str, approvals_pb2.Approval] = OrderedDict()

    def answered(self, approval: approvals_pb2.Approval) -> None:
        """Hear an answer, or that the time of a question is over; twice is the same as once."""
        if approval.state == PENDING:
            return
        self._answers[approval.name] = approval
        while len(self._answers) > KEPT:
            self._answers.popitem(last=False)
        for waiting in self._waiting.get(approval.name, ()):
            if not waiting.done():
                waiting.set_result(approval)

    async def ask(self, request: work_pb2.AskApprovalRequest, asked: Asked) -> approvals_pb2.Approval:
        """Ask and wait for the answer, at most wait_seconds; `asked` is told once the question stands.

        What nobody answers is EXPIRED. Raises SignetError where the question cannot be put, LEASE_LOST among them.
        """
        approval = await self._put(request)
        asked(approval)
        if approval.state != PENDING:
            return approval
        if approval.name in self._answers:
            return self._answers[approval.name]
        waiting: asyncio.Future[approvals_pb2.Approval] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(approval.name, []).append(waiting)
        try:
            async with asyncio.timeout(request.wait_seconds + GRACE_SECONDS):
                return await waiting
        except TimeoutError:
            approval.state = EXPIRED
            return approval
        finally:
            self._waiting[approval.name].remove(waiting)
            if not self._waiting[approval.name]:
                del self._waiting[approval.name]

    async def _put(self, request: work_pb2.AskApprovalRequest) -> approvals_pb2.Approval:
        """Put the question; a control that is away is waited for, as long as for an answer."""
        backoff = Backoff()
        last: SignetError | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(request.wait_seconds):
                while True:
                    try:
                        return await self._control.ask_approval(request)
                    except (Unavailable, DeadlineExceeded) as error:
                        last = error
                    await asyncio.sleep(backoff.next())
        raise last or DeadlineExceeded("DEADLINE_EXCEEDED", "control did not take the question in time")
