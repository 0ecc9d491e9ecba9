"""The page of results says what was measured, what failed, and what is held or not."""

import json
from xml.etree import ElementTree as ET

import pytest

from benchmark.machine import Machine
from benchmark.report import Report, Row
from benchmark.router.chart import chart
from benchmark.router.page import BEGIN, END, figures, placed

REPORT = json.loads(
    Report(
        "router",
        Machine(cpu="a cpu", cores=2, memory_mib=24576, kernel="6.18", python="3.11.7", load=0.5),
        (
            Row("call_cpu", "us", 9, value=249.4, low=240.0, high=1250.0, goal=300, held=True, note="JSON, 32 at once"),
            Row("call_cpu", "us", 9, value=100.0, low=9.0, high=101.0, reference="tensorzero", ratio=2.494,
                ratio_goal=1.2, held=False, failed=3),
            Row("added_latency", "ms", 9, p50=0.871, p99=10.25, goal=0.6, p99_goal=2.0, held=False),
            Row("stream_cpu", "us", 9, value=3904.0),
        ),
        notes=("portkey is left out: not installed",),
        setup={"tensorzero": "2026.6.0"},
    ).json()
)  # fmt: skip


def test_a_line_for_each_figure_and_a_column_for_each_target_that_was_measured() -> None:
    lines = figures(REPORT).splitlines()

    assert "| figure | signet | tensorzero | to hold |" in lines
    assert (
        "| `call_cpu`, us<br>JSON, 32 at once | 249<br>240 to 1,250 | 100<br>9.00 to 101<br>**3 failed** "
        "| 300: held<br>1.2 x tensorzero, is 2.49: **missed** |"
    ) in lines
    assert "| `added_latency`, ms | 0.87 / 10.2 |  | 0.6, p99 2: **missed** |" in lines


def test_what_is_missing_and_which_versions_were_measured_is_said() -> None:
    text = figures(REPORT)

    assert "- portkey is left out: not installed" in text
    assert "- tensorzero: 2026.6.0" in text
    assert "load 0.5 when it began" in text


def test_figures_replace_those_on_the_page_and_nothing_else() -> None:
    page = f"# Title\n{BEGIN}\nold\n{END}\nrest\n"

    once = placed(page, "new")
    assert once == f"# Title\n{BEGIN}\n\nnew\n\n{END}\nrest\n"
    assert placed(once, "new") == once


def test_a_page_without_a_place_for_figures_is_left_alone() -> None:
    with pytest.raises(ValueError, match="the page has no"):
        placed(f"# Title\n{BEGIN}\n", "new")


def test_the_chart_has_a_bar_for_each_target_longer_for_more() -> None:
    drawn = ET.fromstring(chart(REPORT))  # noqa: S314 - drawn just now
    widths = {
        (bar.get("class"), int(bar.get("y", ""))): float(bar.get("width", ""))
        for bar in drawn.iter("{http://www.w3.org/2000/svg}rect")
    }

    assert [name for name, _ in widths] == ["tensorzero", "signet", "signet"]
    less, more, _ = widths.values()
    assert 0 < less < more
