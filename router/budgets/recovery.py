"""What becomes of calls that ran when their router died: each counts as the worst that it can have been. Pure."""

from collections import Counter as Sums
from collections.abc import Iterable

from router.authorise import Identity
from router.budgets.budget import MOST, Amounts
from router.budgets.period import window
from router.budgets.subjects import Subjects
from router.store.budgets import Reserved
from router.store.ledger import Row

LOST = "lost"


def lost(
    reserved: Iterable[Reserved], subjects: Subjects, micros: int
) -> tuple[list[Row], list[tuple[str, str, str, int]]]:
    """Give their rows of the ledger, and what they add to the counts: budget, subject, window, amount."""
    rows: list[Row] = []
    added: Sums[tuple[str, str, str]] = Sums()
    for call in reserved:
        rows.append(_row(call, micros))
        who = Identity(call.caller, call.run, call.agent, call.session)
        most = Amounts(call.cost_microusd, call.input_tokens + call.output_tokens, call.seconds)
        for budget, subject in subjects.of(who, call.provider or call.model):
            key = (budget.id, subject, window(budget.period, call.time_micros))
            added[key] += budget.amount(most) or 0
    return rows, [(*key, min(amount, MOST)) for key, amount in added.items()]


def _row(call: Reserved, micros: int) -> Row:
    return Row(
        id=call.id,
        time_micros=micros,
        caller=call.caller,
        run=call.run,
        agent=call.agent,
        session=call.session,
        model=call.model,
        provider=call.provider,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        cached_tokens=0,
        reasoning_tokens=0,
        cost_microusd=call.cost_microusd,
        estimated=True,
        outcome=LOST,
        duration_micros=min(max(micros - call.time_micros, 0), call.seconds * 1_000_000),
        upstream_model=call.upstream_model,
        price_source=call.price_source,
    )
