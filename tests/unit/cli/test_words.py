"""Numbers, times, ids and tables as people read them."""

from datetime import UTC, datetime, timedelta

import click
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from signet.cli import words
from signet.cli.table import columns, pairs


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0 µs"), (999, "999 µs"), (1_000, "1 ms"), (999_400, "999 ms"), (999_600, "1.0 s"), (59_900_000, "59.9 s"),
        (61_000_000, "1 min 1 s"), (3_720_000_000, "1 h 2 min"),
    ],
)  # fmt: skip
def test_durations(micros: int, text: str) -> None:
    assert words.seconds(micros) == text


@pytest.mark.parametrize(
    ("microusd", "text"),
    [(None, "unknown"), (0, "$0"), (12, "$0.000012"), (9_990, "$0.00999"), (10_000, "$0.01"), (2_500_000, "$2.50")],
)
def test_costs(microusd: int | None, text: str) -> None:
    assert words.cost(microusd) == text


@pytest.mark.parametrize(
    ("passed", "text"), [(0.5, "now"), (59, "59 s ago"), (61, "1 min ago"), (7200, "2 h ago"), (200_000, "2 d ago")]
)
def test_how_long_ago(passed: float, text: str) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    moment = Timestamp()
    moment.FromDatetime(now - timedelta(seconds=passed))

    assert words.ago(moment, now) == text
    assert words.ago(Timestamp(), now) == "-"


def test_sizes() -> None:
    assert [words.size(count) for count in (512, 4096, 1_258_291)] == ["512 B", "4.0 KiB", "1.2 MiB"]


def test_short_ids_are_as_long_as_it_takes_to_tell_them_apart() -> None:
    same = "01a1fc1f-e446-7d51-8e92-da7b6910ffd"
    names = [f"runs/{same}1", f"runs/{same}2", "runs/01a1fc20-0000-7d51-8e92-da7b6910ffd1"]

    assert words.shortened(names[1:]) == {names[1]: "01a1fc1f-e446", names[2]: "01a1fc20-0000"}
    assert len(set(words.shortened(names).values())) == 3
    assert words.shortened([names[0], names[0]]) == {names[0]: "01a1fc1f-e446"}


def test_columns_align_whatever_the_letters_are_wide() -> None:
    text = columns(("A", "B"), [("日本", "x"), ("e\u0301", "y"), (words.toned("FAILED"), "z")])

    starts = {click.unstyle(line).rstrip()[-1] for line in text.splitlines()}
    assert starts == {"B", "x", "y", "z"}
    assert click.unstyle(text).splitlines()[1] == "日本    x"
    assert click.unstyle(text).splitlines()[3] == "failed  z"


def test_a_cell_is_one_line_and_in_a_pipe_nothing_is_cut() -> None:
    assert columns(("A",), [("one\n two " + "x" * 500,)]).splitlines()[1] == "one two " + "x" * 500


def test_an_empty_table_says_what_to_do() -> None:
    assert click.unstyle(columns(("A",), [], empty="signet up")) == "signet up"


def test_pairs_leave_out_what_is_empty_and_align_what_has_lines() -> None:
    assert click.unstyle(pairs([("a", "1\n2"), ("long", "3"), ("none", "")])) == "a     1\n      2\nlong  3"
