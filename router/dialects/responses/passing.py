"""A stream of this form, passed on as it is."""

import re
from typing import Any

from router.dialects.events import Garbage, parsed, payload
from router.dialects.responses.writer import broken
from router.refusal import Refusal
from router.usage import Usage, estimate, read

_LAST = re.compile(rb'"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|error)"')
_DELTA = re.compile(rb'"delta"\s*:\s*"((?:[^"\\]|\\.)*)"')
_COMPLETE = ("response.completed", "response.incomplete")
_FAILED = ("response.failed", "error")


class Passing:
    """Passes one stream on, parsing only its last event, which is held back, for the ledger comes first."""

    def __init__(self) -> None:
        self.done = False
        self.complete = False
        self.failed = False
        self.usage: Usage | None = None
        self._last = b""
        self._bytes = 0
        self._deltas = 0
        self._events = 0

    def take(self, event: bytes) -> bytes:
        """Give the event, if it is not the last. Raises Garbage."""
        data = payload(event)
        if data is None:
            # A comment, or a field that we know nothing of. Before the first event it would only be the byte after
            # which nobody else can be asked.
            return event if self._events else b""
        if data == b"[DONE]":
            return b""  # some servers say it after the last event, as chat does
        if not (data.startswith(b"{") and data.endswith(b"}")):
            raise Garbage("an event that is no JSON object")
        self._events += 1
        if _LAST.search(data) and self._ends(parsed(data)):
            self._last = event
            return b""
        if (delta := _DELTA.search(data)) is not None:
            self._deltas += 1
            self._bytes += len(delta[1])
        return event

    def settle(self, input_bytes: int) -> Usage:
        """Give what was consumed; an estimate where the stream did not say."""
        return self.usage or estimate(input_bytes, self._bytes, self._deltas)

    def end(self) -> bytes:
        """Give the last event."""
        return self._last

    def broken(self, refusal: Refusal) -> bytes:
        """Say that there will be no more."""
        return broken(refusal, self._events)

    def _ends(self, value: dict[str, Any]) -> bool:
        """Read an event that may be the last, and say whether it is."""
        kind = value.get("type")
        if kind not in _COMPLETE and kind not in _FAILED:
            return False
        self.done = True
        self.complete = kind in _COMPLETE
        self.failed = kind in _FAILED
        response = value.get("response")
        self.usage = read(response.get("usage")) if isinstance(response, dict) else None
        return True
