"""What is decided about one group of calls from counts that several routers share. Pure.

The counts are brought in as the database has them, locked; they go back as they are left here.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from router.budgets.budget import Amounts, Budget
from router.budgets.counter import Counter
from router.budgets.fit import Claim, Holds, charges, fit
from router.budgets.period import window
from router.budgets.subjects import Subjects
from router.refusal import Refusal
from router.store.ledger import Row

if TYPE_CHECKING:
    from router.budgets.reservation import Reservation

Key = tuple[str, str, str]
"""Of a count: budget, subject, window."""

_SOFT = 1 << 48
"""A soft budget refuses nothing, so it need not know more of one call; many of these still add up in 64 bits."""


def share(budget: Budget, amounts: Amounts) -> int:
    """Give what a call that runs holds of a budget."""
    amount = budget.amount(amounts) or 0
    return min(amount, _SOFT) if budget.soft else amount


class Ruling:
    """`enter` all calls of the group, `load` their counts, decide, and store `changed`."""

    def __init__(self, subjects: Subjects) -> None:
        self._subjects = subjects
        self._budgets: dict[Key, Budget] = {}
        self._counters: dict[Key, Counter] = {}
        self._before: dict[Key, tuple[int, int, bool]] = {}
        self.said: list[tuple[str, Counter]] = []
        """What is to be told once it is stored."""

    def enter(self, call: "Reservation") -> None:
        """Note which counts a call has a part in."""
        for key, budget in self._keys(call):
            self._budgets[key] = budget

    @property
    def keys(self) -> list[Key]:
        """The counts that are needed, in the order in which every router locks them."""
        return sorted(self._budgets)

    def load(self, found: Mapping[Key, tuple[int, int, bool]]) -> None:
        """Take the counts: use, what is held, and whether it was warned of."""
        for key, budget in self._budgets.items():
            used, held, warned = self._before[key] = found.get(key, (0, 0, False))
            counter = self._counters[key] = Counter(budget, key[1], key[2], used, warned=warned)
            counter.reserved = held

    def admit(self, call: "Reservation") -> Refusal | None:
        """Hold a call's worst case, or say why not."""
        claim = Claim(call.estimate.amounts, call.target.model, call.micros)
        counters = self._of(call)
        try:
            fit(counters, claim)
        except Refusal as refusal:
            return refusal
        for counter in counters:
            counter.reserved += share(counter.budget, claim.amounts)
        return None

    def end(self, call: "Reservation", row: Row | None) -> None:
        """Let go of what a call held, and count what it used, if anything."""
        amounts = call.estimate.amounts
        holds: Holds = [(counter, counter.budget.amount(amounts) or 0) for counter in self._of(call)]
        for counter, _ in holds:
            counter.reserved = max(counter.reserved - share(counter.budget, amounts), 0)
        for counter, amount in charges(holds, row) if row is not None else ():
            self.said += [(event, counter) for event in counter.charge(amount)]

    def changed(self) -> list[tuple[str, str, str, int, int, bool]]:
        """Give the counts that are others now: their key, use, what is held, and whether it was warned of."""
        left = {key: (each.used, each.reserved, each.warned) for key, each in self._counters.items()}
        return [(*key, *value) for key, value in left.items() if value != self._before[key]]

    def _of(self, call: "Reservation") -> list[Counter]:
        return [self._counters[key] for key, _ in self._keys(call)]

    def _keys(self, call: "Reservation") -> Iterable[tuple[Key, Budget]]:
        for budget, subject in self._subjects.of(call.who, call.target.name):
            yield (budget.id, subject, window(budget.period, call.micros)), budget
