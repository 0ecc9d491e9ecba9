"""Who decides whether a call fits: this router from its memory, where no other one counts with it."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from router.budgets.budget import Budget
from router.budgets.counter import Counter, Counters, Read
from router.budgets.fit import Claim, fit, held
from router.budgets.period import window
from router.budgets.reservation import Reservation
from router.budgets.subjects import Subjects

_KNOWN = 4_096
_DAY_MICROS = 86_400_000_000

Most = Callable[[str, str], tuple[int, bool]]
"""Gives the most that is settled of a budget for any one subject in a window, and whether any was warned."""


class Counts(Protocol):
    """What decides, or leaves that to the database."""

    def fit(self, reservation: Reservation) -> None:
        """Find what a call is to hold, if that is decided here. Raises Refusal where it does not fit."""

    def hold(self, reservation: Reservation) -> None:
        """Hold it: the call is on its way to the disk."""

    def free(self, reservation: Reservation) -> None:
        """Let go of what a call held."""

    def index(self, subjects: Subjects, live: Iterable[Reservation]) -> None:
        """Take these budgets for those that there are; what calls that run hold is held in these."""

    async def state(self, budget: Budget, micros: int) -> tuple[int, int, bool]:
        """Give what is used and held in the window of a time, and whether it was warned of."""


class LocalCounts:
    """Decides from counts in memory, which are read from the tables where they are not there yet."""

    def __init__(self, use: Read, most: Most) -> None:
        self._counters = Counters(use)
        self._most = most
        self._subjects = Subjects(())
        self._known: dict[tuple[object, ...], list[Counter]] = {}
        self._known_since = 0

    def fit(self, reservation: Reservation) -> None:
        """Find what a call is to hold. Raises Refusal."""
        claim = Claim(reservation.estimate.amounts, reservation.target.model, reservation.micros)
        reservation.holds = fit(self._of(reservation), claim)

    def hold(self, reservation: Reservation) -> None:
        """Hold it."""
        for counter, amount in reservation.holds:
            counter.hold(amount)

    def free(self, reservation: Reservation) -> None:
        """Let go of it."""
        for counter, amount in reservation.holds:
            counter.free(amount)

    def index(self, subjects: Subjects, live: Iterable[Reservation]) -> None:
        """Begin with other budgets."""
        self._subjects = subjects
        self._counters.forget()
        for reservation in live:
            reservation.holds = held(self._of(reservation), reservation.estimate.amounts)
            self.hold(reservation)

    async def state(self, budget: Budget, micros: int) -> tuple[int, int, bool]:
        """Give how a budget stands."""
        used, warned = await asyncio.to_thread(self._most, budget.id, window(budget.period, micros))
        return used, self._counters.held(budget, micros), warned

    def _of(self, reservation: Reservation) -> list[Counter]:
        """Give the counts that a call adds to. They are the same for all calls of one caller on one day."""
        who, target, micros = reservation.who, reservation.target.name, reservation.micros
        if self._known_since != self._counters.drops or len(self._known) >= _KNOWN:
            self._known.clear()
        key = (who.caller, who.run, who.agent, who.session, target, micros // _DAY_MICROS)
        found = self._known.get(key)
        if found is None:
            matched = self._subjects.of(who, target)
            drops = self._counters.drops
            found = [self._counters.get(budget, subject, micros) for budget, subject in matched]
            if drops != self._counters.drops:  # the first of them may have been dropped for the last
                found = [self._counters.get(budget, subject, micros) for budget, subject in matched]
                self._known.clear()
            self._known_since = self._counters.drops
            self._known[key] = found
        return found
