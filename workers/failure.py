"""What a failed run is called, and what people are told of it."""

from collections.abc import Sequence

from workers.conversation import Flooded
from workers.dispatch import OUTSTANDING, TooManyCalls
from workers.frames import LINE_BYTES, BadFrame, LineTooLong
from workers.runtime import RuntimeMissing
from workers.sandbox.errors import SandboxUnavailable
from workers.sidecar import SidecarLost


class RuntimeDied(Exception):
    """The runtime ended before it finished."""


class PolicyUnreadable(Exception):
    """The agent's policy is none that this worker can read."""


class WorkspaceFull(Exception):
    """The workspace took more than it may, and everything in the sandbox was killed."""


_EXPLAINED: Sequence[tuple[type[BaseException], str, str]] = (
    (SandboxUnavailable, "SANDBOX_FAILED", "no sandbox: {}"),
    (PolicyUnreadable, "SANDBOX_FAILED", "no sandbox: the agent's policy cannot be read here: {}"),
    (WorkspaceFull, "SANDBOX_FAILED", "{}"),
    (SidecarLost, "SANDBOX_FAILED", "the way to the models could not be opened: {}"),
    (LineTooLong, "RUNTIME_FLOODED", f"the runtime wrote a line of more than {LINE_BYTES} bytes"),
    (TooManyCalls, "RUNTIME_FLOODED", f"the runtime asked for more than {OUTSTANDING} tool calls at once"),
    (Flooded, "RUNTIME_FLOODED", "{}"),
    (BadFrame, "RUNTIME_CRASHED", "the runtime does not speak as it should: {}"),
    (RuntimeDied, "RUNTIME_CRASHED", "{}"),
    (RuntimeMissing, "INTERNAL", "{}"),
)


def explained(error: BaseException) -> tuple[str, str]:
    """Say what a failure is called, and what people are told of it."""
    for kind, reason, message in _EXPLAINED:
        if isinstance(error, kind):
            return reason, message.format(error)
    return "INTERNAL", f"a fault of the worker ({type(error).__name__}); its log has more"
