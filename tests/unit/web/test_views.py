"""Values read right on a page, the seal tells stamps apart, and a waterfall stays inside its run."""

import hashlib
import re

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from signet.v1 import events_pb2, runs_pb2, usage_pb2
from web import timeline, words
from web.events import Watch, parse
from web.seal import seal
from web.views import Views, _ticks

DIGESTS = tuple(hashlib.sha256(word).hexdigest() for word in (b"soul", b"tools", b"runtime", b"model", b"permissions"))


@pytest.mark.parametrize(
    ("micros", "said"),
    [
        (0, "0 µs"),
        (640, "640 µs"),
        (12_300, "12 ms"),
        (3_440_000, "3.4 s"),
        (125_000_000, "2 min 05 s"),
        (3_840_000_000, "1 h 04 min"),
    ],
)
def test_durations(micros: int, said: str) -> None:
    assert words.duration(micros) == said


def test_a_cost_that_is_not_known_is_not_zero() -> None:
    assert words.cost(usage_pb2.Usage()) == "not priced"
    assert words.cost(usage_pb2.Usage(cost_microusd=0)) == "$0.00"
    assert words.cost(usage_pb2.Usage(cost_microusd=1_500)) == "$0.0015"
    assert words.cost(usage_pb2.Usage(cost_microusd=2_500_000, estimated=True)) == "about $2.50"


def test_a_state_of_a_newer_control_is_shown_by_its_name() -> None:
    assert words.state("PAUSED").word == "Paused"


def rings(svg: str) -> list[str]:
    return re.findall(r'class="ring ring-\d"[^>]*d="([^"]*)"', svg)


def test_changing_one_of_the_five_changes_one_ring() -> None:
    other = (*DIGESTS[:3], hashlib.sha256(b"another model").hexdigest(), DIGESTS[4])
    same = [one == two for one, two in zip(rings(seal(DIGESTS)), rings(seal(other)), strict=True)]

    assert same == [True, True, True, False, True]


def test_a_seal_of_what_is_no_digest_is_a_plain_ring() -> None:
    assert rings(seal(('"><script>', "", "zz" * 32))) == []
    assert "script" not in seal(('"><script>',))


def test_what_stands_between_backticks_is_code_and_still_escaped() -> None:
    assert _ticks("try `a <b>` & c") == "try <code>a &lt;b&gt;</code> &amp; c"
    assert _ticks("a ` b") == "a ` b"


def test_pages_escape_what_they_are_given() -> None:
    page = Views().page("fault.html", status=400, title="<b>", message="<script>x</script>", hint="")

    assert b"<script>x" not in page.body
    assert b"&lt;script&gt;x" in page.body


@given(st.integers(-5_000_000, 5_000_000), st.integers(0, 10_000_000))
def test_bars_stay_inside_their_run_whatever_the_clocks_of_two_hosts_say(skew: int, length: int) -> None:
    begin = 1_800_000_000
    exchange = runs_pb2.Exchange(duration_micros=length)
    exchange.start_time.FromMicroseconds(begin * 1_000_000 + skew)
    run = runs_pb2.Run(create_time=Timestamp(seconds=begin), end_time=Timestamp(seconds=begin + 2))

    (row,) = timeline.rows(runs_pb2.Record(run=run, exchanges=[exchange]))

    assert row.left >= 0
    assert row.width >= 4
    assert row.left + row.width <= 1000


def test_a_run_that_has_only_begun_has_a_timeline() -> None:
    run = runs_pb2.Run(create_time=Timestamp(seconds=1))

    assert timeline.rows(runs_pb2.Record(run=run, events=[events_pb2.RunEvent()])) == []


def test_a_stream_begins_where_the_page_is_or_where_the_browser_was() -> None:
    one, two = (watch for watch in parse("run:a:3,run:b:0", "a=7;b=0") if isinstance(watch, Watch))

    assert [(watch.progress.run, watch.after) for watch in (one, two)] == [("runs/a", 7), ("runs/b", 0)]


@pytest.mark.parametrize(
    "topics", ["", "run:", "file:a:0", "run:a:-1", "run:a:x", ",".join(f"run:{n}:0" for n in range(9))]
)
def test_topics_that_are_none_or_too_many_are_refused(topics: str) -> None:
    with pytest.raises(HTTPException):
        parse(topics, "")
