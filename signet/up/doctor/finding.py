"""What the doctor found out about one thing, and how that is shown."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import click

State = Literal["ok", "warning", "broken"]

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "broken": ("✗", "red")}


@dataclass(frozen=True)
class Finding:
    """One thing: whether it is as needed, what was found, and, where it is not, how to mend it.

    `broken` keeps Signet from working; `warning` makes it work less well, or matters to the tests only.
    """

    name: str
    state: State
    found: str
    mend: str = ""

    def form(self) -> dict[str, Any]:
        """Give what `-o json` prints."""
        return asdict(self)


def broken(findings: Iterable[Finding]) -> bool:
    """Tell whether something needed is broken."""
    return any(finding.state == "broken" for finding in findings)


def table(findings: Iterable[Finding]) -> str:
    """Lay findings out for people."""
    lines = []
    for finding in findings:
        mark, color = _MARKS[finding.state]
        lines.append(f"{click.style(mark, fg=color)} {finding.name:<22} {finding.found}")
        if finding.mend:
            lines.append(f"  {'':<22} → {finding.mend}")
    return "\n".join(lines)
