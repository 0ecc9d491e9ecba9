"""The page of results: `python -m benchmark.router.page RESULTS.json` puts them into docs/benchmarks/router.md.

RESULTS.json is what `signet bench router -o json` printed. The figures stand between two marks in the page, whose rest
is left alone; the results themselves and a chart are stored beside it.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.router.chart import chart

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
DOCS = Path("docs/benchmarks")
_OURS = "signet"
_COLUMNS = (_OURS, "direct", "litellm", "portkey", "tensorzero")


def figures(report: Mapping[str, Any]) -> str:
    """Write the machine, what was measured, and a table: a line per figure, a column per target."""
    machine, setup = report["machine"], report.get("setup", {})
    names = [name for name in _COLUMNS if any(row.get("reference", _OURS) == name for row in report["rows"])]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_mib'] >> 10} GiB, Linux {machine['kernel']}.",
        f"Python {machine['python']}; load {machine['load']:.1f} when it began.",
        "",
        *(f"- {name}: {said}" for name, said in setup.items()),
        *(f"- {note}" for note in report.get("notes", ())),
        "",
        f"| figure | {' | '.join(names)} | to hold |",
        f"|---|{'---:|' * len(names)}---|",
    ]
    for name in dict.fromkeys(row["name"] for row in report["rows"]):
        of = {row.get("reference", _OURS): row for row in report["rows"] if row["name"] == name}
        cells = [_cell(of[target]) if target in of else "" for target in names]
        lines.append(f"| {_title(of.get(_OURS))} | {' | '.join(cells)} | {_goals(of)} |")
    return "\n".join(lines)


def _title(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    note = f"<br>{row['note']}" if "note" in row else ""
    return f"`{row['name']}`, {row['unit']}{note}"


def _cell(row: Mapping[str, Any]) -> str:
    """Write one figure: the median and its spread, or p50 and p99; what failed is never left out."""
    failed = f"<br>**{row['failed']} failed**" if row.get("failed") else ""
    if "value" not in row:
        return f"{_number(row['p50'])} / {_number(row['p99'])}{failed}"
    spread = f"<br>{_number(row['low'])} to {_number(row['high'])}" if "low" in row else ""
    return f"{_number(row['value'])}{spread}{failed}"


def _number(value: float) -> str:
    """Write three digits that count."""
    if abs(value) >= 100:  # noqa: PLR2004 - three digits
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004 - as above


def _goals(of: Mapping[str, Mapping[str, Any]]) -> str:
    said = []
    for target, row in of.items():
        if "held" not in row:
            continue
        parts = [f"{row['goal']:,.4g}"] if "goal" in row else []
        parts += [f"p99 {row['p99_goal']:g}"] if "p99_goal" in row else []
        parts += [f"{row['ratio_goal']:.3g} x {target}, is {row.get('ratio', 0):.3g}"] if "ratio_goal" in row else []
        said.append(f"{', '.join(parts)}: {'held' if row['held'] else '**missed**'}")
    return "<br>".join(said)


def placed(page: str, text: str) -> str:
    """Put figures between the marks of a page. Raises ValueError where it has none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def main(words: Sequence[str]) -> int:
    """Refresh the page in the folder of this checkout."""
    if len(words) != 1:
        sys.stderr.write("usage: python -m benchmark.router.page RESULTS.json\n")
        return 2
    report = json.loads(Path(words[0]).read_text())
    page = DOCS / "router.md"
    page.write_text(placed(page.read_text(), figures(report)))
    (DOCS / "router.svg").write_text(chart(report))
    (DOCS / "router.json").write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
