"""What models and people write is shown, and never runs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web import markdown
from web.markdown import boundary, render

ATTACKS = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "<svg onload=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)",
    "![x](javascript:alert(1))",
    '<iframe src="https://example.org"></iframe>',
    "<style>body{display:none}</style>",
    '<p style="position:fixed">x</p>',
    '<form action="https://example.org"><input name=a></form>',
    "[x]: javascript:alert(1)\n\n[x]",
    '```html" onmouseover="alert(1)\nx\n```',
    '<math><mi//xlink:href="data:x,<script>alert(4)</script>">',
    '[a](<https://example.org/"onclick="alert(1)>)',
]

HARMFUL = re.compile(
    r"<(script|img|svg|iframe|style|form|input|math|object|embed)\b|\son\w+\s*=\s*[\"']|(javascript|vbscript|data):[^<]*\"",
    re.IGNORECASE,
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_that_runs_or_loads_survives(attack: str) -> None:
    tags = "".join(re.findall(r"<[^>]*>", render(attack)))

    assert not HARMFUL.search(tags), tags


@given(st.text(alphabet=st.sampled_from("<>\"'`()[]!# \n\tabjsonerimg:/=-*|~&;"), max_size=200))
def test_no_text_becomes_a_harmful_tag(text: str) -> None:
    assert not HARMFUL.search("".join(re.findall(r"<[^>]*>", render(text))))


def test_the_cleaner_is_a_wall_of_its_own() -> None:
    """Even if the renderer let HTML through, the allow-list would not."""
    dirty = '<p onclick="x()">a<script>x()</script><a href="javascript:x()">b</a><img src=x></p>'

    assert markdown._cleaner().clean(dirty) == '<p>a<a target="_blank" rel="noopener noreferrer nofollow">b</a></p>'


def test_links_leave_in_a_tab_of_their_own_and_tell_nothing() -> None:
    html = render("[a](https://example.org)")

    assert 'href="https://example.org"' in html
    assert 'target="_blank"' in html
    assert 'rel="noopener noreferrer nofollow"' in html


def test_images_are_links_because_nothing_is_loaded_from_elsewhere() -> None:
    assert '<a href="https://example.org/a.png"' in render("![a plan](https://example.org/a.png)")
    assert "a plan</a>" in render("![a plan](https://example.org/a.png)")


def test_code_has_classes_and_no_styles() -> None:
    html = render("```python\nreturn 1\n```")

    assert '<span class="k">return</span>' in html
    assert "style=" not in html


def test_code_of_an_unknown_language_is_plain() -> None:
    assert "a &lt; b" in render("```nosuchlanguage\na < b\n```")


def test_wide_things_scroll_and_can_be_reached_by_keyboard() -> None:
    assert '<div class="scroll" tabindex="0"><table>' in render("|a|b|\n|-|-|\n|1|2|\n")
    assert '<pre class="code" tabindex="0">' in render("```\nx\n```")


def test_a_text_beyond_the_limit_is_shown_plain() -> None:
    html = render("<b>" + "x" * markdown.PLAIN_CHARACTERS)

    assert html.startswith('<pre class="raw" tabindex="0">&lt;b&gt;')


BLOCKS = (
    "One.\n\nTwo,\nwrapped.\n\n```py\na = 1\n\n\nb = 2\n```\n\n- x\n\n- y\n\n  more of y\n\n1. z\n\n"
    "| a |\n|---|\n| 1 |\n\nEnd.\n"
)


def pieces(text: str) -> list[str]:
    found, start = [], 0
    while (end := boundary(text, start)) > start:
        found.append(text[start:end])
        start = end
    return [*found, text[start:]]


def test_blocks_end_at_blank_lines_outside_fences_and_lists() -> None:
    assert pieces(BLOCKS) == [
        "One.\n\n",
        "Two,\nwrapped.\n\n",
        "```py\na = 1\n\n\nb = 2\n```\n\n",
        "- x\n\n- y\n\n  more of y\n\n1. z\n\n",
        "| a |\n|---|\n| 1 |\n\n",
        "End.\n",
    ]


def test_a_line_still_being_written_settles_nothing() -> None:
    """`1` after a list may yet become its next item."""
    assert pieces("- x\n\n1") == ["- x\n\n1"]


@given(st.lists(st.sampled_from(["a\n", "\n", "```\n", "- x\n", "  y\n", "1. z\n", "~~~\n", "b"]), max_size=30))
def test_what_is_settled_stays_settled_however_the_text_grows(parts: list[str]) -> None:
    """A page that watched and one that loads later cut the text at the same places."""
    whole = "".join(parts)
    final = pieces(whole)
    for end in range(len(whole)):
        settled = pieces(whole[:end])[:-1]
        assert settled == final[: len(settled)]
