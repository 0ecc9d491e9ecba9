"""Counts of budgets: what is settled and what is held, for each subject and window. A cache of the tables."""

from collections.abc import Callable

from router.budgets.budget import MOST, Budget
from router.budgets.period import window

_KEPT = 20_000

Read = Callable[[str, str, str], tuple[int, bool]]
"""Gives what the tables have for a budget, a subject and a window: the use, and whether it was warned of."""


class Counter:
    """One count. `pins` says how many calls that run lean on it: while there are any, it stays in memory."""

    __slots__ = ("budget", "pins", "reserved", "subject", "used", "warned", "window")

    def __init__(self, budget: Budget, subject: str, window_: str, used: int, *, warned: bool) -> None:
        self.budget = budget
        self.subject = subject
        self.window = window_
        self.used = used
        self.warned = warned
        self.reserved = 0
        self.pins = 0

    def fits(self, amount: int) -> bool:
        """Whether so much more can be held: what soft budgets always can."""
        return self.budget.soft or self.used + self.reserved + amount <= self.budget.limit

    def hold(self, amount: int) -> None:
        """Hold an amount for a call."""
        self.pins += 1
        self.reserved += amount

    def free(self, amount: int) -> None:
        """Let go of it."""
        self.pins -= 1
        self.reserved -= amount

    def warns(self, amount: int) -> bool:
        """Whether to warn for the first time when so much more is used."""
        line = self.budget.warns_from
        return line is not None and not self.warned and self.used + amount >= line

    def charge(self, amount: int) -> None:
        """Count what was used."""
        self.used = min(self.used + amount, MOST)


class Counters:
    """The counts that are in memory; one that is not is read when it is asked for. At most some 20,000 idle ones."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._known: dict[tuple[str, str, str], Counter] = {}

    def get(self, budget: Budget, subject: str, micros: int) -> Counter:
        """Give the count of a budget for a subject at a time."""
        key = (budget.id, subject, window(budget.period, micros))
        counter = self._known.get(key)
        if counter is None:
            used, warned = self._read(*key)
            counter = Counter(budget, subject, key[2], used, warned=warned)
            if len(self._known) >= _KEPT:
                self._drop_idle()
            self._known[key] = counter
        return counter

    def forget(self) -> None:
        """Drop all: budgets changed. Holds on what is dropped must be made again."""
        self._known.clear()

    def held(self, budget: Budget, micros: int) -> int:
        """Give the most that is held for any one subject of a budget in the window of a time."""
        now = window(budget.period, micros)
        ours = (counter for (ident, _, when), counter in self._known.items() if ident == budget.id and when == now)
        return max((counter.reserved for counter in ours), default=0)

    def _drop_idle(self) -> None:
        idle = [key for key, counter in self._known.items() if counter.pins == 0]
        for key in idle[: _KEPT // 4]:
            del self._known[key]
