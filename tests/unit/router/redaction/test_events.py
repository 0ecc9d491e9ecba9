"""However a model's text is cut into events, no value is in it when it is put together again, and all else is."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.redaction import events as bounds
from router.redaction.redactor import Redactor
from signet.kit.auth import new_secret
from tests.unit.router.redaction.plain import allowed

KEY = "sk-planted-0123456789"
MARK = "[redacted]"
VALUES = ["abcabcabcabd", "abca", "cabcabc-aaaaaaaaaaaaa", 'quote"\\ü-quote', "abcabcabcabd-more", KEY]


def chat(delta: dict[str, Any], index: int = 0, **rest: Any) -> bytes:
    """Write an event of a chat."""
    choice = {"index": index, "delta": delta, "finish_reason": None}
    value = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps({**value, **rest}, separators=(",", ":")).encode() + b"\n\n"


def parsed(told: bytes) -> list[dict[str, Any]]:
    """Read events."""
    texts = told.replace(b"\r\n", b"\n").split(b"\n\n")
    return [json.loads(text[6:]) for text in texts if text.startswith(b"data: {")]


def content(told: bytes, *path: str, index: int = 0) -> str:
    """Put a text together again."""
    found = ""
    for event in parsed(told):
        for choice in event.get("choices", ()):
            item: Any = choice["delta"] if choice["index"] == index else {}
            for step in path or ("content",):
                item = item.get(step, "")
            found += item or ""
    return found


def through(events: list[bytes], *values: str) -> bytes:
    """Redact a stream."""
    redacting = Redactor(values).events()
    return b"".join([*map(redacting.feed, events), redacting.end()])


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]], list[int]]:
    """Give values, deltas of two texts by their field, and how many events come in one piece."""
    known = draw(st.lists(st.sampled_from(VALUES), unique=True))
    deltas = []
    for name in ("content", "reasoning_content"):
        parts = draw(st.lists(st.one_of(st.sampled_from(VALUES), st.text('abc-"ü', max_size=6)), max_size=6))
        text = "".join(parts)
        borders = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
        deltas.append([(name, text[a:b]) for a, b in zip([0, *borders], [*borders, len(text)], strict=True)])
    mixed: list[tuple[str, str]] = []
    while any(deltas):
        mixed.append(draw(st.sampled_from([left for left in deltas if left])).pop(0))
    return known, mixed, draw(st.lists(st.integers(1, 4), max_size=8))


@given(streams())
def test_whatever_the_cuts_no_value_is_left_and_all_else_is(
    drawn: tuple[list[str], list[tuple[str, str]], list[int]],
) -> None:
    known, deltas, sizes = drawn
    events = [chat({name: text}) for name, text in deltas]
    joined = []
    while events:
        size = sizes.pop() if sizes else 1
        joined.append(b"".join(events[:size]))
        events = events[size:]
    told = through(joined, *known)
    for name in ("content", "reasoning_content"):
        text = "".join(piece for field, piece in deltas if field == name).encode()
        assert allowed(text, known).fullmatch(content(told, name).encode())
    assert [list(event["choices"][0]["delta"]) for event in parsed(told)] == [[name] for name, _ in deltas]


@given(st.text("abc-", max_size=40), st.lists(st.integers(0, 40), max_size=8))
def test_a_stream_that_holds_nothing_is_passed_on_byte_for_byte(text: str, cuts: list[int]) -> None:
    borders = [0, *sorted(cuts), 40]
    events = [chat({"content": text[a:b]}) for a, b in pairwise(borders)]
    assert through(events, KEY, 'quote"\\ü-quote') == b"".join(events)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 21])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_a_key_in_small_pieces_is_marked_once(size: int, newline: bytes) -> None:
    text = f"my key is {KEY}, and that is all"
    events = [chat({"content": text[at : at + size]}).replace(b"\n", newline) for at in range(0, len(text), size)]
    told = through(events, KEY).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    whole = content(told)
    assert whole.count(MARK) == 1
    assert (
        whole.replace(MARK, "").replace("sk-", "").replace("sk", "").replace(" s,", " ,")
        == "my key is , and that is all"
    )
    assert KEY not in whole


def test_what_cannot_be_the_begin_of_a_value_never_waits() -> None:
    redacting = Redactor([KEY]).events()
    for word in ("I", " s", "k", " sk-", " sk-p", "ots "):
        event = chat({"content": word})
        if word == " sk-p":
            assert redacting.feed(event) == b""
            waiting = event
        elif word == "ots ":
            assert redacting.feed(event) == waiting + event
        else:
            assert redacting.feed(event) is event


def test_each_choice_and_each_call_is_a_text_of_its_own() -> None:
    half, rest = KEY[:9], KEY[9:]
    call = {"function": {"arguments": f'{{"key": "{half}'}}
    more = {"function": {"arguments": f'{rest}"}}'}}
    events = [
        chat({"content": half}),
        chat({"content": rest}, 1),
        chat({"tool_calls": [{"index": 0, **call}, {"index": 1, **call}]}),
        chat({"tool_calls": [{"index": 1, **more}]}),
        chat({"content": [{"type": "text", "text": "parts "}]}),
        chat({"content": "!"}),
    ]
    told = through(events, KEY)
    assert content(told, index=1) == rest
    assert KEY.encode() not in told
    calls = "".join(
        call["function"]["arguments"]
        for event in parsed(told)
        for call in event["choices"][0]["delta"].get("tool_calls", ())
        if call["index"] == 1
    )
    assert calls == f'{{"key": "{MARK}"}}'
    assert through(events[:2], KEY) == b"".join(events[:2])


def test_events_of_the_other_forms_are_texts_too() -> None:
    half, rest = KEY[:9], KEY[9:]
    messages = [
        b"event: content_block_delta\n"
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}\n\n' % part.encode()
        for part in (half, rest)
    ]
    told = through(messages, KEY)
    assert rest.encode() not in told
    assert told.count(b"event: content_block_delta\n") == 2
    responses = [
        b'event: x\ndata: {"type":"response.output_text.delta","item_id":"i","output_index":0,"delta":"%s"}\n\n'
        % part.encode()
        for part in (half, rest)
    ]
    told = through([*responses, b'data: {"type":"response.completed","text":"%s"}\n\n' % KEY.encode()], KEY)
    assert rest.encode() not in told
    assert b'"text":"[redacted]"' in told


def test_values_anywhere_else_in_an_event_go_too() -> None:
    events = [
        chat({"content": "a"}),
        chat({"content": "b"}, id=KEY),
        chat({"content": "c"}, obfuscation=KEY),
        b'data: {"error":{"message":"bad key %s"}}\n\n' % KEY.encode(),
        b": comment %s\n\n" % KEY.encode(),
        b"data: %s\n\n" % KEY.encode(),
        b"data: [DONE]\n\n",
        b'data: {"choices":[{"index":0,"delta":{"content":"sk\\u002dplanted-0123456789"}}]}\n\n',
    ]
    told = through(events, KEY)
    assert KEY.encode() not in told
    assert content(told).startswith("abc")
    assert told.count(MARK.encode()) == 6
    assert KEY not in content(told)


def test_the_end_gives_what_waits_and_the_order_stays() -> None:
    redacting = Redactor([KEY]).events()
    first, second = chat({"content": KEY[:10]}), chat({}, usage={"total_tokens": 3})
    assert redacting.feed(first) == b""
    assert redacting.feed(second + b": comment\n\n") == b""
    assert redacting.end() == first + second + b": comment\n\n"
    assert redacting.end() == b""


def test_what_waits_is_bounded_and_then_taken_out() -> None:
    redacting = Redactor([KEY]).events()
    told = redacting.feed(chat({"content": f"so {KEY[:8]}"}))
    for _ in range(bounds.HELD_EVENTS):
        told += redacting.feed(chat({}, 1))
    assert content(told) == f"so {MARK}"
    told += redacting.feed(chat({"content": KEY[8:]})) + redacting.end()
    assert content(told) == f"so {MARK}"


def test_a_token_of_signets_is_found_in_pieces() -> None:
    token = new_secret()
    told = through([chat({"content": part}) for part in ["it is ", token[:7], *token[7:], ". "]])
    assert content(told) == f"it is {MARK}. "
    about = [chat({"content": part}) for part in ("a token begins with sgt", "_", " or sgr_", ".")]
    assert through(about) == b"".join(about)


@pytest.mark.parametrize("end", ['"', "\\", "\n", "ü", "\U0001f600", '","delta":{"content":"', '"}}]}\n\ndata: {'])
def test_texts_that_json_escapes_are_read(end: str) -> None:
    events = [chat({"content": text}) for text in ("a", end, KEY[:7] + end, end + KEY[:7], KEY[7:] + end, end)]
    assert content(through(events, KEY)) == f"a{end}{KEY[:7]}{end}{end}{MARK}{end}{end}"
    assert through(events[:3] + events[5:], KEY) == b"".join(events[:3] + events[5:])


def test_events_that_end_otherwise_each_time_are_followed() -> None:
    events = [chat({"content": text}, obfuscation="x" * len(text)) for text in ("my ", "key ", "is ", *KEY, ". ")]
    assert content(through([b"".join(events[:2]), *events[2:]], KEY)) == f"my key is sk-{MARK}. "
    assert KEY.encode() not in through([chat({"content": "a"}), chat({"content": "b"}, obfuscation=KEY)], KEY)
    sneaky = [chat({"content": "a"}), chat({"content": "b"}).replace(b'b"', b'b","content":"c"', 1)]
    assert content(through(sneaky, KEY)) == "ac"


def test_a_choice_that_comes_later_in_the_same_event_is_followed() -> None:
    def both(first: str, second: str) -> bytes:
        choices = [{"index": index, "delta": {"content": text}} for index, text in enumerate((first, second))]
        return b"data: " + json.dumps({"choices": choices}, separators=(",", ":")).encode() + b"\n\n"

    alone = both("a", "").replace(b',{"index":1,"delta":{"content":""}}', b"")
    assert content(through([alone, both("b", KEY[:9]), both("c", KEY[9:])], KEY), index=1) == MARK


def test_shared_begins_are_told_apart() -> None:
    text = "abcabcabcabd-more abcabcabcabd abcabcabcabe"
    told = content(through([chat({"content": letter}) for letter in text], "abcabcabcabd", "abcabcabcabd-more"))
    assert told == f"abc{MARK} abc{MARK} abcabcabcabe"


@pytest.mark.parametrize("raw", [b"data: {\n\n", b"data: [1]\n\n", b'data: {"choices":5}\n\n', b"\n\n", b"x", b"",
                                 b'data: {"choices":[5,{"delta":[["a"]]},{"delta":7}],"delta":[1]}\n\n',
                                 b"data: " + b'{"delta":' * 5000 + b"\n\n"])  # fmt: skip
def test_garbage_is_passed_on(raw: bytes) -> None:
    assert through([raw], KEY) == raw
