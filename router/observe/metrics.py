"""The tally as Prometheus reads it. Names and labels are listed in docs/observability.md."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from router.observe.tally import BOUNDS, Histogram, Series, Tally

_LABELS = ("provider", "model")
_SECOND = 1_000_000


class Metrics:
    """What is exposed of one router. `gauges` are asked each time, by name without the prefix: help and value."""

    def __init__(self, tally: Tally, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Tallied(tally, gauges))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def text(self, accept: str) -> tuple[str, bytes]:
        """Give content type and text, in the form that an Accept header prefers."""
        encoder, kind = choose_encoder(accept)
        written: bytes = encoder(self._registry)
        return kind, written


class _Tallied(Collector):
    def __init__(self, tally: Tally, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self._tally = tally
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """Give every family."""
        series = list(self._tally.series.items())
        yield self._calls(series)
        yield self._tokens(series)
        yield _counter("cost_microusd", "Cost in millionths of a US dollar, of calls whose price is known.",
                       [(key, each.cost_microusd) for key, each in series])  # fmt: skip
        yield _counter("unpriced_calls", "Calls whose price is not known.",
                       [(key, each.unpriced) for key, each in series])  # fmt: skip
        yield _counter("estimated_calls", "Calls whose provider did not say what they used.",
                       [(key, each.estimated) for key, each in series])  # fmt: skip
        for name, what, pick in _TIMES:
            yield _histogram(name, what, [(key, pick(each)) for key, each in series])
        refusals = CounterMetricFamily("signet_router_refusals", "Requests that were refused.", labels=["code"])
        for code, count in self._tally.refusals.items():
            refusals.add_metric([code], count)
        yield refusals
        yield GaugeMetricFamily("signet_router_open_requests", "Requests at the door now.", value=self._tally.open)
        for name, (what, value) in self._gauges.items():
            yield GaugeMetricFamily(f"signet_router_{name}", what, value=value())

    def _calls(self, series: "list[tuple[tuple[str, str], Series]]") -> Metric:
        family = CounterMetricFamily("signet_router_calls", "Settled calls.", labels=[*_LABELS, "outcome"])
        for key, each in series:
            for outcome, count in each.outcomes.items():
                family.add_metric([*key, outcome], count)
        return family

    def _tokens(self, series: "list[tuple[tuple[str, str], Series]]") -> Metric:
        what = "Tokens; cached are among input, reasoning among output."
        family = CounterMetricFamily("signet_router_tokens", what, labels=[*_LABELS, "kind"])
        for key, each in series:
            for kind in ("input", "output", "cached", "reasoning"):
                family.add_metric([*key, kind], getattr(each, f"{kind}_tokens"))
        return family


_TIMES: tuple[tuple[str, str, Callable[[Series], Histogram]], ...] = (
    ("queue_seconds", "Waiting for a turn at the provider.", lambda each: each.queue),
    ("first_byte_seconds", "From the turn to the answer's first byte.", lambda each: each.first_byte),
    ("call_seconds", "From a call's arrival to its end.", lambda each: each.duration),
)


def _counter(name: str, what: str, values: "list[tuple[tuple[str, str], int]]") -> Metric:
    family = CounterMetricFamily(f"signet_router_{name}", what, labels=_LABELS)
    for key, value in values:
        family.add_metric(key, value)
    return family


def _histogram(name: str, what: str, values: "list[tuple[tuple[str, str], Histogram]]") -> Metric:
    family = HistogramMetricFamily(f"signet_router_{name}", what, labels=_LABELS)
    for key, histogram in values:
        total, buckets = 0, []
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), histogram.counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        family.add_metric(key, buckets, sum_value=histogram.micros / _SECOND)
    return family
