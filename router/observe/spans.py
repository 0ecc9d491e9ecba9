"""Spans of calls, sent to a collector by OpenTelemetry's SDK. Attributes are those of its GenAI conventions, 1.37.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ - no prompt, no answer and no key is in any of them.
"""

import time
from collections.abc import Mapping

from opentelemetry import trace as api
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState

from router.observe.trace import Trace
from router.store.ledger import Row

_EXPORT_SECONDS = 5
_FINE = ("answered", "left")


class Spans:
    """Begins spans. `endpoint` is a collector's address, for example http://127.0.0.1:4318."""

    def __init__(self, endpoint: str, version: str) -> None:
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
        resource = Resource.create({"service.name": "signet-router", "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("signet.router", version)

    def begin(self, caller: Trace | None, operation: str, model: str) -> "Span":
        """Begin the span of a call, below its caller's if that said which."""
        context = None
        if caller is not None:
            parent = SpanContext(
                int(caller.trace_id, 16),
                int(caller.span_id, 16),
                is_remote=True,
                trace_flags=TraceFlags(caller.flags),
                trace_state=TraceState.from_header([caller.state]) if caller.state else None,
            )
            context = api.set_span_in_context(NonRecordingSpan(parent))
        return Span(self._tracer.start_span(f"{operation} {model}", context=context, kind=SpanKind.CLIENT), operation)

    def close(self) -> None:
        """Send what is left, waiting for a collector no longer than its deadline."""
        self._provider.shutdown()


class Span:
    """One call's span."""

    def __init__(self, span: api.Span, operation: str) -> None:
        self._span = span
        self._operation = operation
        self._began = time.time_ns()

    def headers(self) -> Mapping[str, str]:
        """Give what tells the provider of this span."""
        context = self._span.get_span_context()
        trace = Trace(
            f"{context.trace_id:032x}",
            f"{context.span_id:016x}",
            int(context.trace_flags),
            context.trace_state.to_header(),
        )
        return trace.headers()

    def end(self, row: Row | None) -> None:
        """End it as its ledger row has it; None where nothing was sent. A second end does nothing."""
        if row is None:
            self._span.set_status(StatusCode.ERROR, "not sent")
        else:
            self._span.set_attributes(_attributes(row, self._operation))
            if row.outcome not in _FINE:
                self._span.set_attribute("error.type", row.outcome)
                self._span.set_status(StatusCode.ERROR, row.outcome)
        self._span.end()


def _attributes(row: Row, operation: str) -> Mapping[str, str | int | float]:
    """Give a row's attributes; those of which nothing is known are left out."""
    found: dict[str, str | int | float] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": row.provider.removeprefix("providers/"),
        "gen_ai.request.model": row.model.removeprefix("models/"),
        "gen_ai.response.model": row.upstream_model,
        "gen_ai.usage.input_tokens": row.input_tokens,
        "gen_ai.usage.output_tokens": row.output_tokens,
        "gen_ai.conversation.id": row.session,
        "gen_ai.agent.id": row.agent,
        "signet.run": row.run,
        "signet.call": row.id,
        "signet.outcome": row.outcome,
        "signet.attempt": row.attempts,
        "signet.queue_micros": row.queue_micros,
    }
    if row.first_byte_micros:
        found["gen_ai.response.time_to_first_chunk"] = row.first_byte_micros / 1_000_000
    if row.cost_microusd is not None:
        found["signet.cost_microusd"] = row.cost_microusd
    return {name: value for name, value in found.items() if value != ""}
