"""Sums over the calls of this process since it started: what its metrics are made of. Costs a few additions a call."""

from bisect import bisect_left
from dataclasses import dataclass, field

from router.store.ledger import Row

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Upper bounds of the histograms, seconds: from an embedded model's first token to the longest call that is allowed."""

MOST_SERIES = 1_000
"""Pairs of provider and model that are told apart; further ones are counted as `other`."""

OTHER = ("other", "other")
_SECOND = 1_000_000


@dataclass(slots=True)
class Histogram:
    """Counts of durations by BOUNDS, the last one for what is longer, and their sum in microseconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    micros: int = 0

    def add(self, micros: int) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS, micros / _SECOND)] += 1
        self.micros += micros


@dataclass(slots=True)
class Series:
    """What one model of one provider was asked; tokens and micro-USD as the ledger has them."""

    outcomes: dict[str, int] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_microusd: int = 0
    unpriced: int = 0
    estimated: int = 0
    queue: Histogram = field(default_factory=Histogram)
    first_byte: Histogram = field(default_factory=Histogram)
    duration: Histogram = field(default_factory=Histogram)

    def add(self, row: Row) -> None:
        """Count one call."""
        self.outcomes[row.outcome] = self.outcomes.get(row.outcome, 0) + 1
        self.input_tokens += row.input_tokens
        self.output_tokens += row.output_tokens
        self.cached_tokens += row.cached_tokens
        self.reasoning_tokens += row.reasoning_tokens
        if row.cost_microusd is None:
            self.unpriced += 1
        else:
            self.cost_microusd += row.cost_microusd
        self.estimated += row.estimated
        self.queue.add(row.queue_micros)
        if row.first_byte_micros:
            self.first_byte.add(row.first_byte_micros)
        self.duration.add(row.duration_micros)


class Tally:
    """Series by provider (or API) and model, and refusals by code."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, str], Series] = {}
        self.refusals: dict[str, int] = {}
        self.open = 0

    def call(self, row: Row) -> None:
        """Count a call that was settled."""
        key = (row.provider, row.upstream_model or row.model)
        found = self.series.get(key)
        if found is None:
            if len(self.series) >= MOST_SERIES:
                key = OTHER
            found = self.series.setdefault(key, Series())
        found.add(row)

    def refused(self, code: str) -> None:
        """Count a request that was refused; codes are constants of ours."""
        self.refusals[code] = self.refusals.get(code, 0) + 1
