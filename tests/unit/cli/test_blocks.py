"""A growing Markdown text is cut only where what stands before will not change."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.markdown import Markdown

from signet.cli.view.blocks import settled


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("one line", ""),
        ("a paragraph\n\n", ""),
        ("a paragraph\n\nand", "a paragraph\n\n"),
        ("```\ncode\n\nmore", ""),
        ("```\ncode\n\n```\n\nafter", "```\ncode\n\n```\n\n"),
        ("~~~~\n~~~\n\nstill code", ""),
        ("- one\n\n- two", ""),
        ("1. one\n\n2. two", ""),
        ("- one\n\n  of one", ""),
        ("> quote\n\n> quote", ""),
        ("- one\n\nafter", "- one\n\n"),
        ("a\n\nb\n\nc", "a\n\nb\n\n"),
    ],
)
def test_where_it_is_cut(text: str, whole: str) -> None:
    assert text[: settled(text)] == whole


@given(
    st.lists(
        st.sampled_from(["word", "- item", "1. item", "  more", "> said", "```", "~~~", "# head", "", "", "a `b` c"]),
        max_size=20,
    )
)
def test_what_was_cut_off_stays_cut_off_while_the_text_grows(lines: list[str]) -> None:
    text = "\n".join(lines)
    ends = [settled(text[:end]) for end in range(len(text) + 1)]

    assert ends == sorted(ends)


@pytest.mark.parametrize(
    "text",
    [
        "# A\n\nwords *here*\n\n```py\nx = 1\n\ny = 2\n```\n\n- one\n- two\n\nend",
        "a\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nz",
    ],
)
def test_pieces_read_like_the_whole(text: str) -> None:
    pieces, rest = [], ""
    for letter in text:
        rest += letter
        end = settled(rest)
        if end:
            pieces.append(rest[:end])
            rest = rest[end:]
    pieces.append(rest)

    assert _words("".join(pieces)) == _words(text)
    assert [word for piece in pieces for word in _words(piece)] == _words(text)


def _words(text: str) -> list[str]:
    console = Console(file=io.StringIO(), width=60)
    with console.capture() as capture:
        console.print(Markdown(text))
    return capture.get().split()
