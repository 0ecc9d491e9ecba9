"""A budget: a limit on one measure of one subject in one period. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

from router.budgets.period import WHOLE

COST = "COST"
TOKENS = "TOKENS"
REQUESTS = "REQUESTS"
SECONDS = "SECONDS"
MEASURES = (COST, TOKENS, REQUESTS, SECONDS)

REFUSE = "REFUSE"
ALLOW = "ALLOW"

EACH = ("agents/-", "sessions/-", "runs/-")
"""Subjects that stand for each of their kind by itself."""

MOST = 1 << 61
"""No count goes beyond this, so that two of them can be added in 64 bits."""


class Amounts(NamedTuple):
    """What a call uses, or may use at most: micro-USD (None where nobody knows), tokens, and whole seconds."""

    cost_microusd: int | None
    tokens: int
    seconds: int


@dataclass(frozen=True)
class Budget:
    """A limit; its fields are the table's columns. `subject` is a resource name, one of EACH, or empty for everything.

    `measure` is one of MEASURES, `period` one of router.budgets.period's. `warn_at` 0 means never.
    """

    id: str
    subject: str = ""
    measure: str = COST
    period: str = WHOLE
    limit: int = 0
    warn_at: int = 0
    soft: bool = False
    unknown_price: str = REFUSE
    create_micros: int = 0

    @property
    def warns_from(self) -> int | None:
        """The count from which it warns; None for never."""
        if self.warn_at:
            return min(self.warn_at, self.limit) if self.soft else self.warn_at
        return self.limit if self.soft else None

    def counts_as(self, other: "Budget") -> bool:
        """Whether the other one's count is this one's, too."""
        return (self.subject, self.measure, self.period) == (other.subject, other.measure, other.period)

    def amount(self, used: Amounts) -> int | None:
        """Give what a call counts here; None for one of unknown price."""
        if self.measure == COST:
            return used.cost_microusd if used.cost_microusd is None else min(used.cost_microusd, MOST)
        if self.measure == TOKENS:
            return min(used.tokens, MOST)
        return 1 if self.measure == REQUESTS else min(used.seconds, MOST)


def text(measure: str, amount: int) -> str:
    """Write an amount with its unit, for people."""
    if measure == COST:
        whole, rest = divmod(amount, 1_000_000)
        digits = f"{rest:06d}".rstrip("0").ljust(2, "0")
        return f"${whole}.{digits}"
    return f"{amount} {'s' if measure == SECONDS else measure.lower()}"
