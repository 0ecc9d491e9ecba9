"""Metrics are the sums of what was settled, as Prometheus's own parser reads them."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from router.observe.metrics import Metrics
from router.observe.tally import BOUNDS, MOST_SERIES, Histogram, Tally
from router.store.ledger import Row


def row(
    number: int = 1, *, model: str = "small", outcome: str = "answered", cost: int | None = 7, micros: int = 1
) -> Row:
    return Row(
        f"c{number}", 0, "tokens/t", "", "", "", f"models/acme/{model}", "providers/acme", 10, 4, 3, 2, cost, False,
        outcome, micros, model, "user", 5, 9,
    )  # fmt: skip


def read(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    _, text = metrics.text("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_calls_tokens_and_cost_add_up() -> None:
    tally = Tally()
    tally.call(row())
    tally.call(row(2, outcome="timeout"))
    tally.call(row(3, cost=None))
    tally.refused("budget_exhausted")

    found = read(Metrics(tally, {"reserved_calls": ("Calls that hold a budget.", lambda: 3.0)}))

    where = (("model", "small"), ("provider", "providers/acme"))
    assert found["signet_router_calls_total", (where[0], ("outcome", "answered"), where[1])] == 2
    assert found["signet_router_calls_total", (where[0], ("outcome", "timeout"), where[1])] == 1
    assert found["signet_router_tokens_total", (("kind", "input"), *where)] == 30
    assert found["signet_router_tokens_total", (("kind", "reasoning"), *where)] == 6
    assert found["signet_router_cost_microusd_total", where] == 14
    assert found["signet_router_unpriced_calls_total", where] == 1
    assert found["signet_router_call_seconds_count", where] == 3
    assert found["signet_router_refusals_total", (("code", "budget_exhausted"),)] == 1
    assert found["signet_router_reserved_calls", ()] == 3
    assert found["process_open_fds", ()] > 0


def test_labels_are_bounded_whatever_is_asked_for() -> None:
    tally = Tally()
    for number in range(MOST_SERIES + 50):
        tally.call(row(number, model=f"m{number}"))

    assert len(tally.series) == MOST_SERIES + 1
    assert sum(sum(each.outcomes.values()) for each in tally.series.values()) == MOST_SERIES + 50


@given(st.lists(st.integers(0, 10**9), max_size=50))
def test_a_histogram_counts_each_duration_once_and_where_it_belongs(micros: list[int]) -> None:
    histogram = Histogram()
    for each in micros:
        histogram.add(each)

    assert sum(histogram.counts) == len(micros)
    assert histogram.micros == sum(micros)
    below = 0
    for bound, count in zip(BOUNDS, histogram.counts, strict=False):
        below += count
        assert below == sum(each / 1_000_000 <= bound for each in micros)


def test_openmetrics_is_spoken_to_whoever_prefers_it() -> None:
    kind, text = Metrics(Tally(), {}).text("application/openmetrics-text; version=1.0.0")

    assert kind.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
