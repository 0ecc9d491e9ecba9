"""W3C trace context (https://www.w3.org/TR/trace-context/): which trace a call belongs to. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Trace:
    """A caller's place in a trace: ids in lower-case hex, flags of one byte, and vendors' state as it came."""

    trace_id: str
    span_id: str
    flags: int
    state: str = ""

    def headers(self) -> Mapping[str, str]:
        """Write it for a provider, where nothing of ours stands between."""
        parent = f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"
        return {"traceparent": parent, "tracestate": self.state} if self.state else {"traceparent": parent}


def read(parent: str, state: str = "") -> Trace | None:
    """Read a caller's headers; None where they say nothing valid, as the standard has it."""
    match = _PARENT.fullmatch(parent)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    kept = state if len(state) <= _STATE_CHARACTERS and state.isascii() and state.isprintable() else ""
    return Trace(trace_id, span_id, int(flags, 16), kept)
