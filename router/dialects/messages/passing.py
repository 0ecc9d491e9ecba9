"""A stream of this form on its way to a caller who speaks it: passed byte for byte, and read on its way."""

import re

from router.dialects.events import Garbage, parsed, payload, written
from router.dialects.messages import errors
from router.dialects.messages.shape import part
from router.dialects.messages.usage import Counts
from router.refusal import Refusal
from router.usage import Usage, estimate

_PIECE = b"event: content_block_delta\ndata: {"
_DELTA = b'"content_block_delta"'
_TELLS = re.compile(rb'"type"\s*:\s*"(?:message_start|message_delta|message_stop|error)"')


class MessagesPassing:
    """Passes events on. `message_stop` is held back, for the ledger comes first."""

    def __init__(self) -> None:
        self.done = False
        self.failed = False
        self._counts = Counts()
        self._began = False
        self._finished = False
        self._told = False
        self._last = b""
        self._bytes = 0
        self._events = 0
        self._least = 0

    @property
    def complete(self) -> bool:
        """Whether the answer was whole: it said so, or why it ended."""
        return self.done or self._finished

    def take(self, event: bytes) -> bytes:
        """Give the event, if it is one to be passed on yet. Raises Garbage."""
        if event.startswith(_PIECE) and event.endswith(b"}\n\n"):
            self._count(event)
            return event
        data = payload(event)
        if data is None:
            # A comment, or a field that we know nothing of. Before the first event it would only be the byte after
            # which nobody else can be asked.
            return event if self._began else b""
        if not (data.startswith(b"{") and data.endswith(b"}")):
            raise Garbage("an event that is no JSON object")
        self._began = True
        if not _TELLS.search(data):
            if _DELTA in data:
                self._count(event)
            return event
        return self._read(data, event)

    def settle(self, input_bytes: int) -> Usage:
        """Give what was consumed; an estimate where the stream did not say, or not yet."""
        said = self._counts.usage() if self._told else None
        if said is not None:
            return said
        guessed = estimate(input_bytes, self._bytes - self._events * self._least, self._events)
        return self._counts.usage(made=guessed.output_tokens) or guessed

    def end(self) -> bytes:
        """Say that it is done, unless it told of an error."""
        return b"" if self.failed else self._last or written({"type": "message_stop"}, "message_stop")

    def broken(self, refusal: Refusal) -> bytes:
        """Say that there will be no more."""
        return errors.event(refusal)

    def _read(self, data: bytes, event: bytes) -> bytes:
        """Read an event that tells something."""
        value = parsed(data)
        kind = value.get("type")
        if kind == "message_stop":
            self.done = True
            self._last = event
            return b""
        if kind == "message_start":
            self._counts.take(part(value, "message").get("usage"))
        elif kind == "message_delta":
            self._told = self._counts.take(value.get("usage")) or self._told
            self._finished = self._finished or isinstance(part(value, "delta").get("stop_reason"), str)
        elif kind == "error":
            self.failed = True
        return event

    def _count(self, event: bytes) -> None:
        self._events += 1
        self._bytes += len(event)
        self._least = min(self._least or len(event), len(event))
