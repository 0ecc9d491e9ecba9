"""A value is found wherever it is cut, and nothing else is changed."""

from hypothesis import given
from hypothesis import strategies as st

from workers.sidecars.egress.placeholder import MARK, Scan
from workers.sidecars.egress.redact import Redactor

LETTERS = st.text("ab", min_size=4, max_size=8)


@given(LETTERS, st.lists(st.text("abc", max_size=9), max_size=9))
def test_it_makes_no_difference_where_a_stream_is_cut(value: str, pieces: list[str]) -> None:
    whole = Redactor({value: "*"}).whole("".join(pieces).encode())
    redact = Redactor({value: "*"})
    done = b"".join(redact.feed(piece.encode()) for piece in pieces) + redact.end()
    assert value.encode() not in done.replace(b"*", b"c")
    assert done.count(b"*") == whole.count(b"*")


@given(st.lists(st.text("cd", max_size=9), max_size=9))
def test_what_is_no_value_is_not_touched(pieces: list[str]) -> None:
    redact = Redactor({"aaaa": "*"})
    assert b"".join(redact.feed(piece.encode()) for piece in pieces) + redact.end() == "".join(pieces).encode()


@given(st.integers(0, len(MARK)), st.binary(max_size=40))
def test_a_scan_gives_back_what_it_was_given(cut: int, more: bytes) -> None:
    data = b"signet:secre " + more.replace(b"t", b"")
    scan = Scan()
    assert scan.feed(data[:cut]) + scan.feed(data[cut:]) + scan.end() == data
