"""The chart on the page of results: CPU of a call and of a stream, a bar for each target, on a logarithmic scale."""

import math
from collections.abc import Mapping
from html import escape
from typing import Any

_PANELS = {
    "call_cpu": "CPU of a call, µs (32 at once; logarithmic scale)",
    "stream_cpu": "CPU of a stream of 64 tokens, µs (32 at once; logarithmic scale)",
}
_WIDTH, _LEFT, _BAR, _STEP, _TITLE = 720, 110, 18, 26, 34
_LEAST_US = 10.0


def chart(report: Mapping[str, Any]) -> str:
    """Draw it as SVG, in the colours of the page that it stands in."""
    parts, y = list[str](), 0
    for name, title in _PANELS.items():
        found = [(row.get("reference", "signet"), row["value"]) for row in report["rows"] if row["name"] == name]
        y += _TITLE
        parts.append(f'<text x="0" y="{y - 12}" class="title">{escape(title)}</text>')
        most = max([value for _, value in found], default=1.0)
        for target, value in sorted(found, key=lambda each: float(each[1])):
            parts.append(_bar(target, value, most, y))
            y += _STEP
    style = (
        "text{font:13px sans-serif;fill:#777}.title{font-weight:bold}rect{fill:#9aa4b2}rect.signet{fill:#2f7d5b}"
        ".signet text{font-weight:bold}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 8}" role="img" '
        f'aria-label="CPU of a call and of a stream, by gateway"><style>{style}</style>{"".join(parts)}</svg>\n'
    )


def _bar(target: str, value: float, most: float, y: int) -> str:
    room = _WIDTH - _LEFT - 70
    width = room * math.log(max(value, _LEAST_US * 1.1) / _LEAST_US) / math.log(max(most, _LEAST_US * 2) / _LEAST_US)
    name = escape(target)
    return (
        f'<g class="{name}"><text x="0" y="{y + 13}">{name}</text>'
        f'<rect class="{name}" x="{_LEFT}" y="{y}" width="{width:.0f}" height="{_BAR}" rx="2"/>'
        f'<text x="{_LEFT + width + 8:.0f}" y="{y + 13}">{value:,.0f}</text></g>'
    )
