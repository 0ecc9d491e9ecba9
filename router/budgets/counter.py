"""Counts of budgets: what is settled and what is held, for each subject and window. A cache of the tables."""

from collections.abc import Callable

from router.budgets.budget import MOST, Budget
from router.budgets.period import window

_KEPT = 20_000

Read = Callable[[str, str, str], tuple[int, bool]]
"""Gives what the tables have for a budget, a subject and a window: the use, and whether it was warned of."""


class Counter:
    """One count. `pins` says how many calls that run lean on it: while there are any, it stays in memory."""

    __slots__ = ("_line", "budget", "pins", "reserved", "subject", "used", "warned", "window")

    def __init__(self, budget: Budget, subject: str, window_: str, used: int, *, warned: bool) -> None:
        self.budget = budget
        self._line = budget.warns_from
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
        return self._line is not None and not self.warned and self.used + amount >= self._line

    def charge(self, amount: int) -> list[str]:
        """Count what was used; gives what is to be told, which is that a line was passed."""
        said = []
        before, limit = self.used, self.budget.limit
        if self.warns(amount):
            self.warned = True
            said.append("budget_warned")
        self.used = min(self.used + amount, MOST)
        if before <= limit < self.used:
            said.append("budget_exceeded")
        return said


class Counters:
    """The counts that are in memory; one that is not is read when it is asked for. At most some 20,000 idle ones.

    `drops` rises whenever some are dropped: what was got before must be got again.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._known: dict[str, dict[tuple[str, str], Counter]] = {}
        self._count = 0
        self.drops = 0

    def get(self, budget: Budget, subject: str, micros: int) -> Counter:
        """Give the count of a budget for a subject at a time."""
        ours = self._known.setdefault(budget.id, {})
        key = (subject, window(budget.period, micros))
        counter = ours.get(key)
        if counter is None:
            used, warned = self._read(budget.id, *key)
            counter = Counter(budget, subject, key[1], used, warned=warned)
            if self._count >= _KEPT:
                self._drop_idle()
            ours[key] = counter
            self._count += 1
        return counter

    def forget(self) -> None:
        """Drop all: budgets changed. Holds on what is dropped must be made again."""
        self.drops += 1
        self._count = 0
        self._known.clear()

    def held(self, budget: Budget, micros: int) -> int:
        """Give the most that is held for any one subject of a budget in the window of a time."""
        now = window(budget.period, micros)
        ours = self._known.get(budget.id, {})
        return max((counter.reserved for (_, when), counter in ours.items() if when == now), default=0)

    def _drop_idle(self) -> None:
        self.drops += 1
        for ours in self._known.values():
            for key in [key for key, counter in ours.items() if counter.pins == 0]:
                del ours[key]
        self._count = sum(len(ours) for ours in self._known.values())
