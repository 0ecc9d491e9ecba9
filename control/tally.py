"""What a batch of events adds to the figures of its run."""

from collections.abc import Iterable
from dataclasses import dataclass

from signet.v1 import events_pb2


@dataclass(frozen=True)
class Tally:
    """Sums over some events. `cost_microusd` is None where one call's cost is unknown: unknown is not zero."""

    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_microusd: int | None = 0
    usage_calls: int = 0
    estimated: bool = False
    cancel_noted: bool = False


NOTHING = Tally()
"""What most batches add."""


def of(events: Iterable[events_pb2.RunEvent]) -> Tally:
    """Sum up: tool calls as they start, model calls and what they used as they end."""
    total = Tally()
    for event in events:
        kind = event.WhichOneof("kind")
        if kind == "tool_call_started":
            total = _plus(total, Tally(tool_calls=1))
        elif kind == "model_call_finished":
            total = _plus(total, _model_call(event.model_call_finished))
        elif kind == "cancel_requested":
            total = _plus(total, Tally(cancel_noted=True))
    return total


def _model_call(ended: events_pb2.ModelCallFinished) -> Tally:
    if not ended.HasField("usage"):
        return Tally(model_calls=1)
    used = ended.usage
    return Tally(
        model_calls=1,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cached_tokens=used.cached_tokens,
        reasoning_tokens=used.reasoning_tokens,
        cost_microusd=used.cost_microusd if used.HasField("cost_microusd") else None,
        usage_calls=max(used.calls, 1),
        estimated=used.estimated,
    )


def _plus(one: Tally, other: Tally) -> Tally:
    unknown = one.cost_microusd is None or other.cost_microusd is None
    return Tally(
        model_calls=one.model_calls + other.model_calls,
        tool_calls=one.tool_calls + other.tool_calls,
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        reasoning_tokens=one.reasoning_tokens + other.reasoning_tokens,
        cost_microusd=None if unknown else (one.cost_microusd or 0) + (other.cost_microusd or 0),
        usage_calls=one.usage_calls + other.usage_calls,
        estimated=one.estimated or other.estimated,
        cancel_noted=one.cancel_noted or other.cancel_noted,
    )
