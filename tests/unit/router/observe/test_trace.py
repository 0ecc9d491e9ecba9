"""Trace context is read as W3C has it, and what is no trace context is nobody's."""

import pytest

from router.observe.trace import Trace, read

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_callers_place_is_read_and_written_again() -> None:
    trace = read(PARENT, "acme=1")

    assert trace == Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 1, "acme=1")
    assert trace.headers() == {"traceparent": PARENT, "tracestate": "acme=1"}


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert read(PARENT.replace("00-", "01-", 1) + "-more") is not None


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "nonsense",
        PARENT + "-more",
        PARENT.upper(),
        "ff" + PARENT[2:],
        PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        PARENT.replace("00f067aa0ba902b7", "0" * 16),
        PARENT[:-1],
        PARENT + "\n",
    ],
)
def test_what_is_no_trace_context_is_dropped(parent: str) -> None:
    assert read(parent) is None


@pytest.mark.parametrize("state", ["a=" + "x" * 600, "a=\x00", "a=ä", "a=1\r\nx: y"])
def test_state_that_could_not_be_sent_on_is_dropped(state: str) -> None:
    trace = read(PARENT, state)

    assert trace is not None
    assert trace.state == ""
