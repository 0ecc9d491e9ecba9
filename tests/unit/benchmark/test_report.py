import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.machine import Machine
from benchmark.report import Report, Row, percentiles

MACHINE = Machine(cpu="a cpu", cores=2, memory_mib=24576, kernel="6.18", python="3.11.7", load=0.5)
REPORT = Report(
    "run",
    MACHINE,
    (
        Row("added_latency", "ms", 100, p50=12.34567, p99=30.0, reference="bare", ratio=2.5, goal=40),
        Row("cpu_per_run", "ms", 100, value=7.0, note="all of it"),
    ),
)


def test_json_has_the_agreed_form() -> None:
    found = json.loads(REPORT.json())

    assert set(found) == {"suite", "machine", "rows"}
    assert found["rows"][0] == {
        "name": "added_latency", "unit": "ms", "n": 100, "p50": 12.3457, "p99": 30.0,
        "reference": "bare", "ratio": 2.5, "goal": 40,
    }  # fmt: skip
    assert found["rows"][1] == {"name": "cpu_per_run", "unit": "ms", "n": 100, "value": 7.0, "note": "all of it"}


def test_the_table_tells_people_the_same() -> None:
    table = REPORT.table()

    assert "p50 12.35  p99 30.00 ms  n=100  (to hold: 40)" in table
    assert "2.50 x bare" in table
    assert "all of it" in table


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_are_samples_in_order(samples: list[float]) -> None:
    p50, p99 = percentiles(samples)

    assert min(samples) <= p50 <= p99 <= max(samples)
    assert {p50, p99} <= set(samples)


def test_percentiles_of_a_hundred() -> None:
    assert percentiles([float(number) for number in range(1, 101)]) == (50.0, 99.0)


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentiles([])


def test_spread_failures_and_goals_that_are_missed_are_in_the_table() -> None:
    rows = (
        Row("call_cpu", "us", 9, value=350.0, low=318.0, high=377.0, failed=2, goal=300, held=False),
        Row("call_cpu", "us", 9, value=100.0, reference="peer", ratio=3.5, ratio_goal=1.2, held=False),
        Row("added_latency", "ms", 9, p50=0.5, p99=1.0, goal=0.6, p99_goal=2.0, held=True),
    )
    table = Report("router", MACHINE, rows, notes=("a peer is left out",)).table()

    assert "350.00 us  [318.00 to 377.00]  n=9  FAILED 2  (to hold: 300; MISSED)" in table
    assert "100.00 us  n=9  (to hold: 1.2 x; MISSED)" in table
    assert "p50 0.50  p99 1.00 ms  n=9  (to hold: 0.6, p99 2)" in table
    assert "a peer is left out" in table


def test_what_was_measured_and_what_could_not_be_are_in_the_json_where_there_is_anything_to_say() -> None:
    found = json.loads(Report("router", MACHINE, (), notes=("a note",), setup={"peer": "1.0"}).json())

    assert (found["notes"], found["setup"]) == (["a note"], {"peer": "1.0"})
