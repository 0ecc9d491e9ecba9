"""Raw results become rows: medians with their spread, each peer beside ours, and figures to hold."""

from dataclasses import replace
from typing import Any

from benchmark.report import Row
from benchmark.router import cells
from benchmark.router.cells import Cell
from benchmark.router.generator import Taken, Times
from benchmark.router.results import Growth, Results
from benchmark.router.rows import rows

NONE = Times(0, 0.0, 0.0)


def taken(target: str, cell: Cell, repeat: int, **fields: Any) -> Taken:
    """Give a cell's outcome: 100 calls in a second, each of 1 ms, unless said otherwise."""
    made = Taken(
        target, cell, repeat, done=100, failed=0, seconds=1.0, latency=Times(100, 1000.0, 2000.0),
        first=Times(100, 500.0, 900.0), gap=NONE, cpu_us=100.0, upstream_us=5.0, others_cores=0.1, memory_mib=50.0,
    )  # fmt: skip
    return replace(made, **fields)


def of(*all_taken: Taken, grown: tuple[Growth, ...] = ()) -> list[Row]:
    return rows(Results(all_taken, grown, (), {}, 1.0))


def one(found: list[Row], name: str, reference: str | None = None) -> Row:
    (row,) = [row for row in found if row.name == name and row.reference == reference]
    return row


def test_a_figure_is_the_median_of_its_repeats_between_the_lowest_and_the_highest() -> None:
    found = of(*(taken("signet", cells.JSON_32, index, cpu_us=cpu) for index, cpu in enumerate((90.0, 500.0, 110.0))))

    row = one(found, "call_cpu")
    assert (row.value, row.low, row.high, row.n, row.failed) == (110.0, 90.0, 500.0, 300, 0)


def test_a_peer_stands_beside_ours_with_its_own_figure_and_ours_over_it() -> None:
    found = of(taken("signet", cells.JSON_32, 0), taken("portkey", cells.JSON_32, 0, cpu_us=400.0))

    row = one(found, "call_cpu", "portkey")
    assert (row.value, row.ratio, row.ratio_goal, row.held) == (400.0, 0.25, 1 / 3, True)
    assert one(found, "call_cpu").ratio is None


def test_added_latency_is_less_what_the_upstream_took_in_the_same_repeat() -> None:
    slow, fast = Times(9, 900.0, 1500.0), Times(9, 100.0, 500.0)
    found = of(
        taken("signet", cells.JSON_1, 0, latency=Times(9, 1400.0, 2500.0)),
        taken("direct", cells.JSON_1, 0, latency=slow),
        taken("signet", cells.JSON_1, 1, latency=Times(9, 600.0, 1500.0)),
        taken("direct", cells.JSON_1, 1, latency=fast),
    )  # fmt: skip

    row = one(found, "added_latency")
    assert (row.p50, row.p99, row.held) == (0.5, 1.0, True)
    assert not [row for row in found if row.name == "added_latency" and row.reference == "direct"]


def test_the_upstream_itself_is_shown_where_a_time_is_whole() -> None:
    found = of(taken("signet", cells.PACED_OPEN, 0), taken("direct", cells.PACED_OPEN, 0))

    assert one(found, "ttft", "direct").p50 == 0.5


def test_a_figure_with_calls_that_failed_holds_nothing() -> None:
    good, bad = taken("signet", cells.JSON_32, 0), taken("signet", cells.JSON_32, 0, failed=1)

    assert one(of(good), "call_cpu").held is True
    assert one(of(bad), "call_cpu").held is False
    assert one(of(bad), "call_cpu").failed == 1


def test_more_is_better_of_calls_in_a_second() -> None:
    assert one(of(taken("signet", cells.JSON_32, 0, done=3100)), "throughput").held is True
    assert one(of(taken("signet", cells.JSON_32, 0, done=2900)), "throughput").held is False


def test_memory_is_what_was_added_after_the_first_portion() -> None:
    grown = (Growth("signet", 100_000, (100.0, 101.0, 103.0)), Growth("portkey", 500, (150.0, 190.0)))
    found = of(grown=grown)

    assert (one(found, "memory_growth").value, one(found, "memory_growth").n) == (3.0, 100_000)
    assert one(found, "memory_growth").held is True
    assert one(found, "memory_growth", "portkey").value == 40.0


def test_quicker_cells_give_the_same_rows() -> None:
    assert one(of(*(taken("signet", cell, 0) for cell in cells.QUICK)), "stream_cpu").n == 100


def test_without_ours_there_is_nothing_to_compare() -> None:
    assert [row.name for row in of(taken("portkey", cells.JSON_32, 0))] == ["other_load"]


def test_what_else_the_machine_did_is_said() -> None:
    found = of(*(taken("signet", cells.JSON_32, 0, others_cores=cores) for cores in (0.0, 0.2, 1.5)))

    row = one(found, "other_load")
    assert (row.value, row.low, row.high) == (0.2, 0.0, 1.5)
