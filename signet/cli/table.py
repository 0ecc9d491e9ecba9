"""Tables and pairs in plain columns, which a person reads and `awk` takes apart."""

import shutil
import sys
from collections.abc import Iterable, Sequence

import click
from wcwidth import wcswidth

from signet.cli.words import dim

_GAP = "  "


def columns(headers: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str = "") -> str:
    """Lay out rows under headers. At a terminal the last column is cut at the edge; in a pipe nothing is cut."""
    cells = [[_flat(cell) for cell in row] for row in rows]
    if not cells:
        return dim(empty or "nothing there")
    lines = [[dim(header) for header in headers], *cells]
    widths = [max(_width(line[index]) for line in lines) for index in range(len(headers))]
    before = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    if sys.stdout.isatty():
        widths[-1] = min(widths[-1], max(shutil.get_terminal_size().columns - before - 1, 8))
    return "\n".join(
        _GAP.join(_fit(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Lay out names and values; a value of several lines stays aligned, an empty one is left out."""
    shown = [(name, value) for name, value in rows if value]
    width = max((len(name) for name, _ in shown), default=0)
    indent = "\n" + " " * (width + len(_GAP))
    return "\n".join(f"{dim(name.ljust(width))}{_GAP}{value.replace(chr(10), indent)}" for name, value in shown)


def _flat(cell: str) -> str:
    return " ".join(cell.split())


def _width(cell: str) -> int:
    plain = click.unstyle(cell)
    width: int = wcswidth(plain)
    return width if width >= 0 else len(plain)


def _fit(cell: str, width: int) -> str:
    over = _width(cell) - width
    if over <= 0:
        return cell + " " * -over
    plain = click.unstyle(cell)
    while plain and _width(plain) > width - 1:
        plain = plain[:-1]
    return plain + "…"
