"""Whether a call fits into its budgets, and what it counts there in the end. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from router.budgets.budget import ALLOW, Amounts
from router.budgets.counter import Counter
from router.budgets.refusals import exhausted, unpriced
from router.store.ledger import Row

_SECOND = 1_000_000

Holds = list[tuple[Counter, int]]
"""What a call holds, or adds, in which counts."""


class Claim(NamedTuple):
    """What a call may use at most of which model, and when it is reserved."""

    amounts: Amounts
    model: str
    micros: int


def fit(counters: Iterable[Counter], claim: Claim) -> Holds:
    """Find what a call is to hold. Raises Refusal where it does not fit."""
    holds: Holds = []
    for counter in counters:
        budget = counter.budget
        amount = budget.amount(claim.amounts)
        if amount is None and not budget.soft and budget.unknown_price != ALLOW:
            raise unpriced(budget, claim.model)
        if not counter.fits(amount or 0):
            raise exhausted(counter, amount or 0, claim.micros)
        holds.append((counter, amount or 0))
    return holds


def held(counters: Iterable[Counter], amounts: Amounts) -> Holds:
    """Give what a call holds that was admitted."""
    return [(counter, counter.budget.amount(amounts) or 0) for counter in counters]


def charges(holds: Holds, row: Row) -> Holds:
    """Say what a settlement adds to which counts; where its price is not known any more, what was held."""
    if not holds:
        return []
    used = Amounts(row.cost_microusd, row.input_tokens + row.output_tokens, -(-row.duration_micros // _SECOND))
    return [
        (counter, most if (amount := counter.budget.amount(used)) is None else max(amount, 0))
        for counter, most in holds
    ]
