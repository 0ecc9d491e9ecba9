"""Spans arrive at a collector below their caller's, with what the ledger has and nothing that was said."""

import asyncio

from opentelemetry.proto.trace.v1.trace_pb2 import Status

from router.observe.observer import Observer
from router.observe.spans import Spans
from router.observe.tally import Tally
from router.observe.trace import Trace, read
from tests.fakes.collector import collecting
from tests.unit.router.observe.test_metrics import row

CALLER = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 1, "acme=1")


async def test_a_call_is_a_span_below_its_callers() -> None:
    async with collecting() as collector:
        spans = Spans(collector.endpoint, "1.2.3")
        observer = Observer(Tally(), spans)
        sight = observer.begin(CALLER, "chat", "acme/small")
        sight.settled(row(micros=2_000_000))
        await asyncio.to_thread(spans.close)

    [span] = collector.spans
    assert span.name == "chat acme/small"
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (CALLER.trace_id, CALLER.span_id)
    onward = read(sight.headers["traceparent"], sight.headers["tracestate"])
    assert onward == Trace(CALLER.trace_id, span.span_id.hex(), 1, "acme=1")
    said = {each.key: each.value for each in span.attributes}
    assert said["gen_ai.provider.name"].string_value == "acme"
    assert said["gen_ai.usage.input_tokens"].int_value == 10
    assert said["signet.cost_microusd"].int_value == 7
    assert span.status.code == Status.STATUS_CODE_UNSET


async def test_a_call_that_broke_or_was_not_sent_is_an_error() -> None:
    async with collecting() as collector:
        spans = Spans(collector.endpoint, "1.2.3")
        observer = Observer(Tally(), spans)
        observer.begin(None, "chat", "acme/small").settled(row(outcome="timeout"))
        observer.begin(None, "chat", "acme/small").unsent()
        await asyncio.to_thread(spans.close)

    assert [span.status.code for span in collector.spans] == [Status.STATUS_CODE_ERROR] * 2
    assert all(not span.parent_span_id for span in collector.spans)


async def test_a_caller_that_does_not_sample_is_not_sampled() -> None:
    async with collecting() as collector:
        spans = Spans(collector.endpoint, "1.2.3")
        sight = Observer(Tally(), spans).begin(Trace(CALLER.trace_id, CALLER.span_id, 0), "chat", "acme/small")
        sight.settled(row())
        await asyncio.to_thread(spans.close)

    assert collector.spans == []
    assert sight.headers["traceparent"].endswith("-00")


def test_without_a_collector_a_callers_trace_goes_through_as_it_came() -> None:
    tally = Tally()
    sight = Observer(tally).begin(CALLER, "chat", "acme/small")
    sight.settled(row())

    assert sight.headers == CALLER.headers()
    assert Observer(tally).begin(None, "chat", "acme/small").headers == {}
    assert sum(sum(each.outcomes.values()) for each in tally.series.values()) == 1
