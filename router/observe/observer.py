"""What is seen of calls: sums for metrics always, spans where a collector was named."""

from collections.abc import Mapping
from typing import Protocol

from router.observe.tally import Tally
from router.observe.trace import Trace
from router.store.ledger import Row

_NONE: Mapping[str, str] = {}


class Span(Protocol):
    """One call's span."""

    def headers(self) -> Mapping[str, str]:
        """Give what tells the provider of it."""

    def end(self, row: Row | None) -> None:
        """End it."""


class Tracer(Protocol):
    """Begins spans."""

    def begin(self, caller: Trace | None, operation: str, model: str) -> Span:
        """Begin the span of a call."""


class Sight:
    """One call at one provider, as it is seen."""

    __slots__ = ("_span", "_tally", "headers")

    def __init__(self, tally: Tally, span: Span | None, headers: Mapping[str, str]) -> None:
        self._tally = tally
        self._span = span
        self.headers = headers

    def settled(self, row: Row) -> None:
        """Take note of how it ended."""
        self._tally.call(row)
        self._end(row)

    def unsent(self) -> None:
        """Take note that nothing was sent; does nothing once it is settled."""
        self._end(None)

    def _end(self, row: Row | None) -> None:
        span, self._span = self._span, None
        if span is not None:
            span.end(row)


class Observer:
    """Begins to look at calls."""

    def __init__(self, tally: Tally, tracer: Tracer | None = None) -> None:
        self.tally = tally
        self._tracer = tracer

    def begin(self, caller: Trace | None, operation: str, model: str) -> Sight:
        """Look at a call: `operation` is `chat` or `embeddings`, `model` as it was asked for.

        `headers` of what is given go to the provider: where there is no span of ours, its caller's trace as it came.
        """
        if self._tracer is None:
            return Sight(self.tally, None, caller.headers() if caller is not None else _NONE)
        span = self._tracer.begin(caller, operation, model)
        return Sight(self.tally, span, span.headers())
