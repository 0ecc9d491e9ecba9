"""Every secret value goes, in whatever form it stands, and nothing else does."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.redaction.flow import MARK
from router.redaction.redactor import HELD_BYTES, Redactor
from signet.kit.auth import RunClaims, new_secret, sign_run_token
from tests.unit.router.redaction.plain import redacted

KEY = "sk-planted-0123456789/ab+cd"
LETTERS = 'ab-c"\\ü '

values = st.lists(st.text(LETTERS, min_size=1, max_size=20), max_size=5)
texts = st.text(LETTERS, max_size=80)


@st.composite
def strewn(draw: st.DrawFn) -> tuple[list[str], bytes]:
    """Give values, and a text of them and of others, one after the other."""
    known = draw(values)
    parts = draw(st.lists(st.one_of(st.sampled_from(known) if known else st.just("a"), texts), max_size=8))
    return known, "".join(parts).encode()


def pieces(draw: st.DataObject, data: bytes) -> list[bytes]:
    """Cut bytes somewhere."""
    borders = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=10)))
    return [data[start:end] for start, end in zip([0, *borders], [*borders, len(data)], strict=True)]


@given(strewn())
def test_a_whole_text_is_as_the_plain_way_has_it(sown: tuple[list[str], bytes]) -> None:
    known, text = sown
    assert Redactor(known).whole(text) == redacted(text, known)


@given(strewn(), st.data())
def test_bytes_in_pieces_become_what_they_become_as_a_whole(sown: tuple[list[str], bytes], data: st.DataObject) -> None:
    known, text = sown
    stream = Redactor(known).stream()
    assert b"".join([*map(stream.feed, pieces(data, text)), stream.end()]) == redacted(text, known)


@pytest.mark.parametrize("prefix", ["", "u", "us"])
def test_a_value_goes_in_every_form(prefix: str) -> None:
    redactor = Redactor([KEY, 'quote"back\\slash ü'])
    forms = [
        KEY,
        quote(KEY, safe=""),
        quote(KEY, safe="").lower(),
        KEY.encode().hex(),
        KEY.encode().hex().upper(),
        json.dumps('quote"back\\slash ü')[1:-1],
        json.dumps(json.dumps('quote"back\\slash ü')[1:-1])[1:-1],
        quote('quote"back\\slash ü'),
    ]
    for form in forms:
        assert redactor.text(f"<{form}>") == "<[redacted]>", form
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        basic = encode(f"{prefix}{KEY}:x".encode())
        clean = redactor.whole(basic)
        assert len(clean) < len(MARK) + 12
        assert MARK in clean


def test_both_alphabets_of_base64_are_known() -> None:
    value = "planted~~???>>>~~planted"
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert redacted_whole(encode(value.encode()), value)
    assert base64.b64encode(value.encode()) != base64.urlsafe_b64encode(value.encode())


def redacted_whole(text: bytes, value: str) -> bool:
    """Say whether all but the ends of a text goes."""
    return Redactor([value]).whole(text).strip(b"=").endswith(MARK)


def test_signets_own_tokens_go_by_their_form() -> None:
    run = sign_run_token(b"k" * 32, RunClaims("runs/r", "agents/a", "", ("m",), 1, 5))
    for token in (new_secret(), run):
        assert Redactor().text(f"<{token}>.") == "<[redacted]>."
        stream = Redactor().stream()
        told = b"".join([*(stream.feed(bytes([letter])) for letter in f"<{token}>.".encode()), stream.end()])
        assert told == b"<[redacted]>."
    assert Redactor().text("a token begins with sgt_ or sgr_") == "a token begins with sgt_ or sgr_"


@pytest.mark.parametrize("word", ["", "abc", "ollama", "EMPTY", "lm-studio"])
def test_what_hides_nothing_is_left(word: str) -> None:
    assert Redactor([word]).text(f"I am {word}.") == f"I am {word}."


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ("1700", {"created": 17000000, "text": "in 1700"}),
        ("true", {"stream": True, "text": "true"}),
        ('","', {"a": "b", "c": '","x'}),
        (KEY, {KEY: [{KEY: 1.5}, None, f"my {KEY}"]}),
    ],
)
def test_json_stays_json(value: str, body: object) -> None:
    clean = Redactor([value]).whole(json.dumps(body).encode())
    json.loads(clean)
    assert value not in json.dumps(list(strings(json.loads(clean))))


def strings(value: object) -> list[object]:
    """Give every key, text and number."""
    if isinstance(value, dict):
        return [*value, *(one for item in value.values() for one in strings(item))]
    return [one for item in value for one in strings(item)] if isinstance(value, list) else [value]


def test_a_value_that_json_writes_in_an_unusual_way_is_found() -> None:
    body = '{"text": "my sk\\u002dplanted\\u002d0123456789\\/ab+cd"}'
    assert json.loads(Redactor([KEY]).whole(body.encode())) == {"text": "my [redacted]"}
    untouched = b'{"text": "a \\u003c b \\/ c"}'
    assert Redactor([KEY]).whole(untouched) is untouched


def test_text_that_holds_nothing_is_given_as_it_is() -> None:
    redactor = Redactor([KEY])
    for body in (b"", b"{}", b"sk-planted-012345678", b"\xff\xfe" * 9, b'{"a": [' * 9):
        assert redactor.whole(body) is body


def test_what_waits_is_bounded() -> None:
    redactor = Redactor(["x" * (HELD_BYTES + 5000)])
    stream = redactor.stream()
    told = b"".join([*(stream.feed(b"x" * 1000) for _ in range(HELD_BYTES // 1000 + 2)), stream.end()])
    assert told.startswith(MARK)
    assert len(told) < 2000


def test_a_value_that_is_told_later_goes_from_then_on() -> None:
    redactor = Redactor()
    assert redactor.text(KEY) == KEY
    redactor.know(KEY)
    assert redactor.text(KEY) == "[redacted]"
    assert KEY not in repr(redactor)
