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
