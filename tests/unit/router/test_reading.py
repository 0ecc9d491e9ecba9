"""Usage, streams and requests are read for what they are, in pieces of any size, and never for more."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ask import CHAT, parse
from router.dialects.chat import Passing
from router.dialects.events import Garbage
from router.dialects.flow import Flow
from router.price import Price, cost
from router.usage import Usage, estimate, read

CHUNK = {"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}], "usage": None}
LAST = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
SAID = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}


def wire(*values: Any, newline: str = "\n", done: bool = True) -> bytes:
    texts = [f"data: {json.dumps(value)}" for value in values] + ["data: [DONE]"] * done
    return "".join(f"{text}{newline}{newline}" for text in texts).encode()


@given(
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=30),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    comment=st.booleans(),
)
def test_a_stream_reads_the_same_however_it_is_cut(cuts: list[int], newline: str, *, comment: bool) -> None:
    ping = f": ping{newline}{newline}".encode() if comment else b""
    data = wire(CHUNK, newline=newline, done=False) + ping + wire(CHUNK, LAST, SAID, newline=newline)
    reading = Passing(keep_usage=True)
    stream = Flow(reading)
    passed, start, turn = b"", 0, 0
    while start < len(data):
        size = cuts[turn % len(cuts)]
        passed += stream.feed(data[start : start + size])
        start, turn = start + size, turn + 1
    assert reading.done
    assert reading.complete
    assert reading.usage == Usage(9, 4)
    assert reading.events == 3
    done = f"data: [DONE]{newline}{newline}".encode()
    assert passed.replace(b"\r", b"\n").rstrip() == data.removesuffix(done).replace(b"\r", b"\n").rstrip()


def test_a_comment_before_the_first_event_does_not_begin_the_answer() -> None:
    stream = Flow(Passing(keep_usage=False))
    assert stream.feed(b": wait\n\n") == b""
    assert stream.feed(b": wait\n\n" + wire(CHUNK, done=False)) == wire(CHUNK, done=False)


def test_done_is_held_back_and_what_follows_it_is_dropped() -> None:
    reading = Passing(keep_usage=False)
    stream = Flow(reading)
    assert b"[DONE]" not in stream.feed(wire(CHUNK, LAST) + wire(CHUNK))
    assert reading.done
    assert stream.feed(wire(CHUNK)) == b""
    assert reading.events == 2


def test_a_part_of_an_event_is_never_passed_on() -> None:
    reading = Passing(keep_usage=False)
    stream = Flow(reading)
    whole = wire(CHUNK, done=False)
    assert stream.feed(whole + b'data: {"choi') == whole
    assert not reading.complete


def test_of_several_usages_the_last_one_stands() -> None:
    reading = Passing(keep_usage=False)
    stream = Flow(reading)
    more = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 6}}
    running = {**CHUNK, "usage": {"prompt_tokens": 9, "completion_tokens": 1}}
    passed = stream.feed(wire(running, LAST, SAID, more))
    assert reading.settle(0) == Usage(9, 6)
    assert passed.count(b"data:") == 2


def test_the_word_usage_in_a_text_is_no_usage() -> None:
    reading = Passing(keep_usage=False)
    stream = Flow(reading)
    tricky = {"choices": [{"index": 0, "delta": {"content": '"usage": {"prompt_tokens": 1}, "error": 1'}}]}
    assert stream.feed(wire(tricky, done=False)) == wire(tricky, done=False)
    assert reading.usage is None
    assert not reading.failed


@pytest.mark.parametrize("payload", ["<html>", "{", '{"a": 1', "null", '["usage"]', '{"usage": }', '"usage"'])
def test_an_event_that_is_no_json_object_is_garbage(payload: str) -> None:
    with pytest.raises(Garbage):
        Flow(Passing(keep_usage=False)).feed(f"data: {payload}\n\n".encode())


def test_a_line_without_an_end_is_garbage_at_the_bound() -> None:
    reading = Passing(keep_usage=False)
    stream = Flow(reading)
    for _ in range(16):
        assert stream.feed(b"x" * (1 << 20)) == b""
    with pytest.raises(Garbage, match="16777216 bytes"):
        stream.feed(b"x")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2}, Usage(3, 2)),
        ({"input_tokens": 3, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 1}}, Usage(3, 2, 1)),
        ({"prompt_tokens": 3, "total_tokens": 3}, Usage(3, 0)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 9}}, Usage(3, 2, 3)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": None}, Usage(3, 2)),
        ({"prompt_tokens": 3}, None),
        ({"prompt_tokens": -1, "completion_tokens": 2}, None),
        ({"prompt_tokens": "3", "completion_tokens": 2}, None),
        ({"prompt_tokens": True, "completion_tokens": 2}, None),
        ({"prompt_tokens": 1 << 62, "completion_tokens": 2}, None),
        ({"prompt_tokens": 1.5, "completion_tokens": 2}, None),
        ({}, None),
        (None, None),
        ([1], None),
    ],
)
def test_usage_is_read_from_what_providers_say_and_nonsense_is_none(said: object, expected: Usage | None) -> None:
    assert read(said) == expected


def test_an_estimate_is_never_nothing_for_something() -> None:
    assert estimate(1, 1) == Usage(1, 1, estimated=True)
    assert estimate(400, 10, pieces=7).output_tokens == 7


@pytest.mark.parametrize(
    ("price", "usage", "expected"),
    [
        (Price(1_000_000, 2_000_000), Usage(3, 4), 11),
        (Price(150_000, 600_000), Usage(1, 0), 1),
        (Price(150_000, None), Usage(10, 0), 2),
        (Price(150_000, None), Usage(10, 1), None),
        (Price(None, None), Usage(10, 1), None),
        (Price(0, 0), Usage(10, 1), 0),
    ],
)
def test_a_cost_is_whole_micro_dollars_rounded_up_and_unknown_is_none(
    price: Price, usage: Usage, expected: int | None
) -> None:
    assert cost(price, usage) == expected


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_whatever_stands_in_a_request_goes_through_unchanged(value: Any) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": value}], "stream": True, "x": value}
    ask = parse(CHAT, json.dumps(body).encode())
    assert json.loads(ask.upstream("n")) == {**body, "model": "n", "stream_options": {"include_usage": True}}
