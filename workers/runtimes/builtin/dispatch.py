"""Having the worker run tool calls, several at once, with results in any order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workers.runtimes.builtin.frames import BadFrame, Output

CALLS_AT_ONCE = 16
"""Most calls of one round; the model is told to make the others later."""


@dataclass(frozen=True)
class Request:
    """A checked call for the worker."""

    id: str
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What came of a call."""

    content: str
    is_error: bool


def dispatch(output: Output, requests: Sequence[Request]) -> dict[str, Result]:
    """Send all calls, wait for all results. The worker bounds the wait: it answers each call or ends this process."""
    for request in requests:
        output.frame(
            {"type": "tool_call", "id": request.id, "tool": request.tool, "arguments": dict(request.arguments)}
        )
    results: dict[str, Result] = {}
    waiting = {request.id for request in requests}
    while waiting:
        frame = output.channel.read()
        identity = frame.get("id")
        if frame.get("type") != "tool_result" or identity not in waiting:
            raise BadFrame(f"expected a result of one of {sorted(waiting)}, got {str(frame)[:200]}")
        waiting.remove(identity)
        results[identity] = Result(str(frame.get("content", "")), bool(frame.get("is_error")))
    return results
