"""Bytes that arrive in any pieces, and text that leaves in batches: pure parts of the stream."""

import json
import os
from collections.abc import Iterator

import pytest

from workers.runtimes.builtin.failure import RunFailed
from workers.runtimes.builtin.frames import LINE_BYTES, PIECE_CHARS, BadFrame, Channel, Output
from workers.runtimes.builtin.sse import EVENT_BYTES, Events

STREAMS = [
    (b"data: a\n\ndata: b\n\n", ["a", "b"]),
    (b"data: a\r\ndata: b\r\n\r\n", ["a\nb"]),
    (b"data: a\rdata: b\r\r", ["a\nb"]),
    (b": comment\n\nevent: x\nid: 1\ndata:a\n\n", ["a"]),
    (b"data: a\n\ndata: cut short", ["a", "cut short"]),
    (b"garbage\n\n<html>\n", []),
    ("data: ü🌍\n\n".encode(), ["ü🌍"]),
    (b"data: \xff\n\n", ["\ufffd"]),
    (b"\n\n\r\n\n", []),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(("stream", "events"), STREAMS)
def test_events_are_the_same_however_the_bytes_are_cut(stream: bytes, events: list[str], size: int) -> None:
    parser = Events()
    found = [event for at in range(0, len(stream), size) for event in parser.feed(stream[at : at + size])]
    assert found + parser.end() == events


@pytest.mark.parametrize("chunk", [b"x" * 65536, b"data: x\n" * 8192])
def test_an_endless_line_or_event_is_refused(chunk: bytes) -> None:
    parser = Events()
    before = EVENT_BYTES // len(chunk) - 1
    assert [parser.feed(chunk) for _ in range(before)] == [[]] * before
    with pytest.raises(RunFailed, match="more than 4 MiB"):
        parser.feed(chunk * 4)


@pytest.fixture
def pipe() -> Iterator[tuple[Output, int]]:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    yield Output(Channel(theirs)), ours
    os.close(ours)
    os.close(theirs)


def written(fd: int) -> list[tuple[str, str]]:
    """Return the frames written so far, as type and text."""
    try:
        lines = os.read(fd, 1 << 20).splitlines()
    except BlockingIOError:
        return []
    return [(frame["type"], frame.get("text", "")) for frame in map(json.loads, lines)]


def test_the_first_piece_leaves_at_once_and_the_next_wait_for_company(pipe: tuple[Output, int]) -> None:
    output, fd = pipe
    output.text("a")
    assert written(fd) == [("text", "a")]
    output.text("b")
    assert written(fd) == []
    assert output.due() is not None
    output.text("c" * PIECE_CHARS)
    assert written(fd) == [("text", "b" + "c" * PIECE_CHARS)]
    assert output.due() is None


def test_a_frame_of_another_kind_leaves_behind_the_text_before_it(pipe: tuple[Output, int]) -> None:
    output, fd = pipe
    output.text("a")
    output.text("b")
    output.reasoning("c")
    output.notice("x", "y")
    assert written(fd) == [("text", "a"), ("text", "b"), ("reasoning", "c"), ("notice", "")]


def test_a_frame_that_is_too_long_is_refused_before_a_byte_is_written(pipe: tuple[Output, int]) -> None:
    output, fd = pipe
    with pytest.raises(BadFrame, match="over the bound"):
        output.frame({"type": "finish", "output": "x" * LINE_BYTES})
    assert written(fd) == []
