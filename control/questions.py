"""What an agent asks to be let through with: checked, compared, and shown."""

import hashlib
from dataclasses import dataclass

from control.store.approvals import Approval
from signet.kit.errors import invalid
from signet.kit.names import parse
from signet.kit.times import stamp
from signet.v1 import approvals_pb2, policies_pb2
from signet.work.v1 import work_pb2

COMMAND = "command "
"""How the subject of a question for a command begins; others are for connections."""

_WAIT_SECONDS = (10, 86_400)
_MAX_HOST = 253
_MAX_PORT = 65_535
_MAX_BINARY = 4096
_MAX_COMMAND = 32 * 1024
_MAX_RADIUS = 4096
_ANSWERED = (approvals_pb2.APPROVAL_STATE_APPROVED, approvals_pb2.APPROVAL_STATE_DENIED)


@dataclass(frozen=True)
class Question:
    """A checked AskApprovalRequest. `run` is empty and `generation` 0 outside a run; ids carry no collection."""

    agent: str
    run: str
    generation: int
    ask: policies_pb2.Ask
    blast_radius: str
    wait_seconds: int

    @property
    def subject(self) -> str:
        """What is asked for: of two that ask for the same it is the same."""
        if self.ask.HasField("network"):
            return f"network {self.ask.network.host}:{self.ask.network.port}"
        return f"{COMMAND}{hashlib.sha256(self.ask.command.command.encode()).hexdigest()}"


def check(request: work_pb2.AskApprovalRequest) -> Question:
    """Check a request. Raises InvalidArgument with all that is wrong."""
    problems = _problems(request.ask)
    low, high = _WAIT_SECONDS
    if not low <= request.wait_seconds <= high:
        problems.append(("wait_seconds", f"must be {low} to {high}, not {request.wait_seconds}"))
    if len(request.blast_radius) > _MAX_RADIUS:
        problems.append(("blast_radius", f"must be at most {_MAX_RADIUS} characters"))
    if request.HasField("lease") and request.lease.generation < 1:
        problems.append(("lease.generation", f"must be 1 or more, not {request.lease.generation}"))
    if problems:
        raise invalid(*problems)
    held = request.HasField("lease")
    return Question(
        agent=parse("agents", request.agent, "agent"),
        run=parse("runs", request.lease.run, "lease.run") if held else "",
        generation=request.lease.generation if held else 0,
        ask=request.ask,
        blast_radius=request.blast_radius,
        wait_seconds=request.wait_seconds,
    )


def _problems(ask: policies_pb2.Ask) -> list[tuple[str, str]]:
    kind = ask.WhichOneof("kind")
    if kind == "command":
        size = len(ask.command.command.encode())
        return [] if 0 < size <= _MAX_COMMAND else [("ask.command.command", f"must be 1 to {_MAX_COMMAND} bytes")]
    if kind != "network":
        return [("ask", "exactly one kind must be set")]
    problems: list[tuple[str, str]] = []
    host = ask.network.host
    if not 0 < len(host) <= _MAX_HOST or host != host.lower() or any(part.isspace() for part in host):
        problems.append(("ask.network.host", "must be a name or an address, lower case, without a port"))
    if not 1 <= ask.network.port <= _MAX_PORT:
        problems.append(("ask.network.port", f"must be 1 to {_MAX_PORT}, not {ask.network.port}"))
    if len(ask.network.binary) > _MAX_BINARY:
        problems.append(("ask.network.binary", f"must be at most {_MAX_BINARY} characters"))
    return problems


def message(approval: Approval) -> approvals_pb2.Approval:
    """Put an approval on the wire."""
    answered = approval.state in _ANSWERED and approval.end_time is not None
    return approvals_pb2.Approval(
        name=f"approvals/{approval.id}",
        agent=f"agents/{approval.agent}",
        run=f"runs/{approval.run}" if approval.run else "",
        session=f"sessions/{approval.session}" if approval.session else "",
        ask=policies_pb2.Ask.FromString(approval.ask),
        blast_radius=approval.blast_radius,
        state=approval.state,  # type: ignore[arg-type] # the store keeps the enum's number
        create_time=stamp(approval.create_time),
        expire_time=stamp(approval.expire_time),
        answer_time=stamp(approval.end_time or 0) if answered else None,
        caller=approval.caller,
        grant=f"grants/{approval.grant}" if approval.grant else "",
    )
