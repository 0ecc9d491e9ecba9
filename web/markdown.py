"""Markdown of models and people as safe HTML: rendered on the server, then cleaned by an allow-list."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

PLAIN_CHARACTERS = 131_072
"""Longer texts are shown as plain text: rendering them would hold up everybody else."""

_HIGHLIGHT_CHARACTERS = 20_000

_TAGS = {
    "a", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_CLASSES = {
    "div": {"scroll"},
    "pre": {"code"},
    "span": {"c", "d", "e", "f", "g", "i", "k", "m", "n", "o", "p", "s", "t", "x"},
    "td": {"left", "center", "right"},
    "th": {"left", "center", "right"},
}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "pre": {"tabindex"}, "div": {"tabindex"}}

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_PARTIAL_ITEM = re.compile(r"[-*+]|\d{1,9}[.)]?")
_LIST = re.compile(r"^ {0,3}([-*+]|\d{1,9}[.)])\s")


def render(text: str) -> str:
    """Give safe HTML for a text. One beyond PLAIN_CHARACTERS is escaped and not rendered."""
    if len(text) > PLAIN_CHARACTERS:
        return f'<pre class="raw" tabindex="0">{escape(text)}</pre>'
    html: str = _parser().render(text)
    return _cleaner().clean(html)


def boundary(text: str, start: int) -> int:
    """Give where the first block that begins at `start` ends, when a later line shows that it has; else `start`.

    Blank lines inside a fence, before indented lines, and between the items of one list end nothing. A text has the
    same boundaries however often it was asked about as it grew.
    """
    fence, in_list, blank = "", False, False
    position = start
    lines = text[start:].split("\n")
    for number, line in enumerate(lines, 1):
        is_item = _LIST.match(line) is not None
        if blank and not fence and line.strip() and not line.startswith((" ", "\t")):
            undecided = number == len(lines) and _PARTIAL_ITEM.fullmatch(line)  # more of it may come
            if not (in_list and (is_item or undecided)):
                return position
        marker = _FENCE.match(line)
        if marker and not fence:
            fence = marker[1]
        elif marker and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        in_list = in_list or (not fence and is_item)
        blank = not line.strip() and position > start
        position += len(line) + 1
    return start


class _Renderer(RendererHTML):
    """What differs from plain HTML: no images from elsewhere, classes for styles, wide things scroll by keyboard."""

    def image(self, tokens: Sequence[Token], idx: int, _options: Any, _env: Any) -> str:
        token = tokens[idx]
        address = escape(str(token.attrs.get("src", "")), quote=True)
        return f'<a href="{address}">{escape(token.content) or "image"}</a>'

    def fence(self, tokens: Sequence[Token], idx: int, _options: Any, _env: Any) -> str:
        token = tokens[idx]
        language = token.info.strip().split(maxsplit=1)[0] if token.info.strip() else ""
        return f'<pre class="code" tabindex="0"><code>{highlight(token.content, language)}</code></pre>'

    def code_block(self, tokens: Sequence[Token], idx: int, _options: Any, _env: Any) -> str:
        return f'<pre class="code" tabindex="0"><code>{escape(tokens[idx].content)}</code></pre>'

    def table_open(self, _tokens: Sequence[Token], _idx: int, _options: Any, _env: Any) -> str:
        return '<div class="scroll" tabindex="0"><table>'

    def table_close(self, _tokens: Sequence[Token], _idx: int, _options: Any, _env: Any) -> str:
        return "</table></div>"

    def th_open(self, tokens: Sequence[Token], idx: int, _options: Any, _env: Any) -> str:
        return _cell("th", tokens[idx])

    def td_open(self, tokens: Sequence[Token], idx: int, _options: Any, _env: Any) -> str:
        return _cell("td", tokens[idx])


def _cell(tag: str, token: Token) -> str:
    _, _, side = str(token.attrs.get("style", "")).partition(":")
    return f'<{tag} class="{side}">' if side else f"<{tag}>"


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer)
    return parser.enable(["table", "strikethrough"])


@lru_cache(maxsize=1)
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        allowed_classes=_CLASSES,
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


_TOKEN_CLASSES: Mapping[str, str] = {
    "Token.Comment": "c",
    "Token.Keyword": "k",
    "Token.Literal.String": "s",
    "Token.Literal.Number": "m",
    "Token.Name.Function": "f",
    "Token.Name.Class": "f",
    "Token.Name.Tag": "t",
    "Token.Name.Builtin": "n",
    "Token.Name.Attribute": "x",
    "Token.Operator.Word": "k",
    "Token.Generic.Inserted": "i",
    "Token.Generic.Deleted": "d",
    "Token.Generic.Heading": "g",
}


def highlight(code: str, language: str) -> str:
    """Give escaped code with classed spans where the language is known; plain where it is not or the code is long."""
    if not language or len(code) > _HIGHLIGHT_CHARACTERS:
        return escape(code, quote=False)
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped] # it ships no types
    from pygments.util import ClassNotFound  # type: ignore[import-untyped] # it ships no types

    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return escape(code, quote=False)
    return "".join(_span(str(kind), value) for kind, value in lexer.get_tokens(code))


def _span(kind: str, value: str) -> str:
    text = escape(value, quote=False)
    while kind:
        if kind in _TOKEN_CLASSES:
            return f'<span class="{_TOKEN_CLASSES[kind]}">{text}</span>'
        kind = kind.rpartition(".")[0]
    return text
