"""What a benchmark says: rows of figures and the machine they were taken on; JSON for programs, a table for people."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmark.machine import Machine

_BAR = 24


@dataclass(frozen=True)
class Row:
    """One figure: a single `value`, or `p50` and `p99` of `n` samples.

    Where the same was measured of something else in the same run, `reference` names that and `ratio` is ours over it.
    `goal` is the figure to hold, in the row's unit, on the p50 or the value; `note` says what a reader should know.
    A figure that was taken several times is the median, between `low` and `high`; `failed` counts what went wrong while
    it was taken. `p99_goal` and `ratio_goal` are to hold as `goal` is; `held` says whether all of them do.
    """

    name: str
    unit: str
    n: int
    value: float | None = None
    p50: float | None = None
    p99: float | None = None
    reference: str | None = None
    ratio: float | None = None
    goal: float | None = None
    note: str | None = None
    low: float | None = None
    high: float | None = None
    failed: int | None = None
    p99_goal: float | None = None
    ratio_goal: float | None = None
    held: bool | None = None

    @property
    def figure(self) -> float:
        """The value, or the p50."""
        return self.value if self.value is not None else self.p50 or 0.0


@dataclass(frozen=True)
class Report:
    """All rows of one suite, from one run on one machine.

    `notes` say what could not be measured, or not as it should be; `setup` what was, by name: versions and the like.
    """

    suite: str
    machine: Machine
    rows: tuple[Row, ...] = field(default=())
    notes: tuple[str, ...] = ()
    setup: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> str:
        """Give it for programs: figures that were not taken are left out."""
        rows: list[dict[str, Any]] = [
            {key: _rounded(value) for key, value in asdict(row).items() if value is not None} for row in self.rows
        ]
        told = {"setup": dict(self.setup), "notes": list(self.notes)}
        more = {name: value for name, value in told.items() if value}
        return json.dumps({"suite": self.suite, "machine": asdict(self.machine), "rows": rows, **more}, indent=2)

    def table(self) -> str:
        """Give it for people: a line per row, and a bar where it was compared."""
        lines = [f"{self.suite} on {self.machine.summary()}", ""]
        width = max((len(row.name) for row in self.rows), default=0)
        for row in self.rows:
            lines.append(f"  {row.name:<{width}}  {_figures(row)}")
            if row.reference and row.ratio is not None:
                lines.append(f"  {'':<{width}}  {_bar(row.ratio)} {row.ratio:.2f} x {row.reference}")
            if row.note:
                lines.append(f"  {'':<{width}}  {row.note}")
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)


def percentiles(samples: list[float]) -> tuple[float, float]:
    """Give p50 and p99 by the nearest rank. Raises ValueError for no samples."""
    if not samples:
        raise ValueError("no samples")
    ranked = sorted(samples)
    return ranked[(len(ranked) - 1) // 2], ranked[min(len(ranked) - 1, round(0.99 * (len(ranked) - 1)))]


def _figures(row: Row) -> str:
    text = (
        f"{row.figure:,.2f} {row.unit}"
        if row.value is not None
        else f"p50 {row.p50:,.2f}  p99 {row.p99:,.2f} {row.unit}"
    )
    spread = f"  [{row.low:,.2f} to {row.high:,.2f}]" if row.low is not None and row.high is not None else ""
    failed = f"  FAILED {row.failed}" if row.failed else ""
    return f"{text}{spread}  n={row.n}{failed}{_goals(row)}"


def _goals(row: Row) -> str:
    """Say what is to hold, and where it does not."""
    goals = [f"{row.goal:,.4g}"] if row.goal is not None else []
    goals += [f"p99 {row.p99_goal:,.4g}"] if row.p99_goal is not None else []
    goals += [f"{row.ratio_goal:,.4g} x"] if row.ratio_goal is not None else []
    missed = "; MISSED" if row.held is False else ""
    return f"  (to hold: {', '.join(goals)}{missed})" if goals else ""


def _bar(ratio: float) -> str:
    """Draw ours against the reference's full width; a ratio above 1 runs over it."""
    return "█" * max(1, min(3 * _BAR, round(ratio * _BAR)))


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
