"""The figures to hold for one core, and whether a row holds them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmark.report import Row


@dataclass(frozen=True)
class Goal:
    """A limit in the row's unit, on the value or the p50, and one on the p99; `at_least` where more is better."""

    limit: float
    p99: float | None = None
    at_least: bool = False

    def held(self, row: Row) -> bool:
        """Whether a row keeps to it."""
        if self.p99 is not None and (row.p99 is None or row.p99 > self.p99):
            return False
        return row.figure >= self.limit if self.at_least else row.figure <= self.limit


GOALS: Mapping[str, Goal] = {
    "call_cpu": Goal(300),
    "stream_cpu": Goal(3_500),
    "added_latency": Goal(0.6, p99=2.0),
    "throughput": Goal(3_000, at_least=True),
    "memory_growth": Goal(4.0),
}
"""Of our own rows. Memory counts as flat within 4 MiB: an allocator's pools and a database's cache breathe."""

RATIOS: Mapping[tuple[str, str], float] = {
    ("call_cpu", "litellm"): 1 / 25,
    ("call_cpu", "portkey"): 1 / 3,
    ("call_cpu", "tensorzero"): 1.2,
    ("stream_cpu", "tensorzero"): 1.2,
}
"""At most so much of what a peer takes."""


def judged(row: Row) -> Row:
    """Give a row with what it is to hold, if anything, and whether it does: never with calls that failed."""
    if row.reference is None and (goal := GOALS.get(row.name)):
        return replace(row, goal=goal.limit, p99_goal=goal.p99, held=goal.held(row) and not row.failed)
    if row.reference is not None and (most := RATIOS.get((row.name, row.reference))) is not None:
        return replace(row, ratio_goal=most, held=row.ratio is not None and row.ratio <= most)
    return row
