"""Other sandboxes are compared where they are, and left out where they are not."""

import pytest

from benchmark.report import Row
from benchmark.suites import sandbox


def test_a_program_that_is_not_here_gives_no_figures() -> None:
    assert sandbox._started(("no-such-sandbox", "true"), 3) == []


def test_a_program_that_refuses_gives_no_figures_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert sandbox._started(("sh", "-c", "echo cannot >&2; exit 3"), 3) == []
    assert "cannot" in capsys.readouterr().err


def test_as_many_starts_are_timed_as_were_asked_for() -> None:
    assert len(sandbox._started(("true",), 3)) == 3


def test_ours_is_set_against_the_others_median() -> None:
    row = sandbox._against(Row("cold_start", "ms", 200, p50=5.0, p99=9.0), "other", [40.0, 50.0, 60.0])

    assert (row.reference, row.n, row.p50, row.ratio) == ("other", 3, 50.0, 0.1)


def test_a_figure_to_hold_stands_at_our_own_row_only() -> None:
    ours = sandbox._row({"name": "exec", "unit": "ms", "n": 1, "p50": 1.0, "p99": 2.0})
    theirs = sandbox._row({"name": "exec", "unit": "ms", "n": 1, "p50": 1.0, "p99": 2.0, "reference": "x", "ratio": 1})

    assert (ours.goal, theirs.goal) == (4.0, None)
