"""What a caller is told whose call a budget does not let through. Pure."""

from router.budgets.budget import REQUESTS, Budget, text
from router.budgets.counter import Counter
from router.budgets.period import reset
from router.refusal import Refusal
from signet.kit.times import stamp

_MOST_WAIT_SECONDS = 86_400


def exhausted(counter: Counter, amount: int, micros: int) -> Refusal:
    """Refuse a call that does not fit any more: 429 for a budget of requests, else 402."""
    budget = counter.budget
    measure = budget.measure
    ends = reset(budget.period, micros)
    begins = f"; it begins anew at {stamp(ends).ToJsonString()}" if ends is not None else ""
    of = f" of {counter.subject}" if counter.subject else ""
    held = f" and {text(measure, counter.reserved)} held by calls that run" if counter.reserved else ""
    message = (
        f"budgets/{budget.id}{of} is used up: {text(measure, counter.used)} of {text(measure, budget.limit)} are used"
        f"{held}, and this call may take {text(measure, amount)}{begins}"
    )
    waits = None if ends is None else min(-(-(ends - micros) // 1_000_000), _MOST_WAIT_SECONDS)
    if counter.reserved and counter.used + amount <= budget.limit:
        waits = 1  # calls that run may give it back
    if measure == REQUESTS:
        return Refusal(429, "budget_exhausted", message, retry_after_seconds=waits)
    return Refusal(402, "budget_exhausted", message, retry_after_seconds=waits)


def unpriced(budget: Budget, model: str) -> Refusal:
    """Refuse a call whose price nobody knows."""
    message = (
        f"nobody knows what {model} costs, and budgets/{budget.id} lets nothing of unknown price through: give it a "
        "price, or the budget --unknown-price allow"
    )
    return Refusal(402, "price_unknown", message, "model")


def unavailable(error: Exception) -> Refusal:
    """Refuse a call that cannot be kept account of."""
    return Refusal(503, "ledger_unavailable", f"no call is sent that cannot be written down: {error}",
                   retry_after_seconds=5)  # fmt: skip
