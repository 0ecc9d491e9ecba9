"""An isolation report as a table: a mark a layer."""

from typing import TYPE_CHECKING

import click

from signet.cli.words import toned

if TYPE_CHECKING:
    from signet.v1.events_pb2 import IsolationReport

_MARKS = {"ENFORCED": ("✓", "green"), "PARTIAL": ("~", "yellow"), "ABSENT": ("✗", "red")}


def layers(report: "IsolationReport") -> str:
    """Lay out what was probed from inside, layer by layer."""
    from signet.cli.form import word
    from signet.cli.table import columns

    rows = [
        (_mark(word(layer, "state")), layer.name, toned(word(layer, "state")), layer.detail) for layer in report.layers
    ]
    return columns(("", "ISOLATION", "STATE", "PROBED FROM INSIDE"), rows, empty="not probed yet")


def _mark(state: str) -> str:
    mark, tone = _MARKS.get(state, ("?", "white"))
    return click.style(mark, fg=tone)
