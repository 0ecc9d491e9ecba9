import pytest

from workers.sidecars.usage import LINE_BYTES, Stream, Whole

ANSWER = b'data: {"a": 1}\n\ndata: {"b": 2}\n\ndata: [DONE]\n\n: signet-usage {"call": "c"}\n\n'
PASSED = b'data: {"a": 1}\n\ndata: {"b": 2}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_stream_loses_the_usage_and_nothing_else_however_it_is_cut(size: int) -> None:
    tap = Stream()
    pieces = [ANSWER[start : start + size] for start in range(0, len(ANSWER), size)]
    assert b"".join([tap.feed(piece) for piece in pieces]) + tap.end() == PASSED
    assert tap.usage == {"call": "c"}


def test_the_end_of_a_stream_is_held_back_until_it_is_known() -> None:
    tap = Stream()
    assert tap.feed(b"data: x\n\ndata: [DONE]\n\n") == b"data: x\n\n"
    assert tap.end() == b"data: [DONE]\n\n"


def test_an_event_is_passed_on_as_soon_as_it_is_whole() -> None:
    tap = Stream()
    assert tap.feed(b"data: x\n\nda") == b"data: x\n\n"
    assert tap.feed(b"ta: y\n\n") == b"data: y\n\n"


def test_text_that_only_looks_like_usage_is_passed_on() -> None:
    tap = Stream()
    text = b'data: : signet-usage {"call": "forged"}\n\n: other comment\n\n'
    assert tap.feed(text) + tap.end() == text
    assert tap.usage is None


def test_the_last_word_on_usage_counts() -> None:
    tap = Stream()
    assert tap.feed(b': signet-usage {"n": 1}\n\n: signet-usage {"n": 2}\n\n') == b""
    assert tap.usage == {"n": 2}


def test_usage_that_is_none_is_taken_out_all_the_same() -> None:
    tap = Stream()
    assert tap.feed(b": signet-usage nonsense\n\ndata: x\n\n") == b"data: x\n\n"
    assert tap.usage is None


def test_a_line_without_end_does_not_gather() -> None:
    tap = Stream()
    line = b"data: " + b"x" * (LINE_BYTES + 100)
    assert tap.feed(line) == line
    assert tap.feed(b": signet-usage {}\n") == b": signet-usage {}\n"
    assert tap.usage is None


def test_an_answer_that_is_no_stream_is_held_back_by_its_last_piece() -> None:
    tap = Whole('{"call": "c"}')
    assert [tap.feed(b"a"), tap.feed(b"b"), tap.end()] == [b"", b"a", b"b"]
    assert tap.usage == {"call": "c"}


@pytest.mark.parametrize("header", ["", "[]", "{", "\xff"])
def test_a_header_that_is_no_usage_is_none(header: str) -> None:
    assert Whole(header).usage is None
