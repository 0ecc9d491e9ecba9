"""The meter: a call reserves its worst case before it is sent, and settles at what it used.

What is held is on disk before anything is spent, so neither many calls at once nor a crash spends more than a limit.
"""

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from router.authorise import Identity
from router.budgets.budget import Budget
from router.budgets.counter import Counter
from router.budgets.counts import Counts
from router.budgets.estimate import Estimate
from router.budgets.freeze import Freeze
from router.budgets.refusals import unavailable
from router.budgets.reservation import Reservation, Target
from router.budgets.subjects import Subjects
from router.refusal import Refusal
from router.store.changes import Changes
from router.store.database import store_error
from router.store.journal import Journal, JournalError, Work
from signet.kit.errors import NotFound, ResourceExhausted, near
from signet.kit.log import Log
from signet.kit.times import now_micros

_MOST_BUDGETS = 1_000


class Meter:
    """Budgets, the stop switch, and the calls of this router that run."""

    def __init__(
        self, journal: Journal, counts: Counts, changes: Changes, log: Log, clock: Callable[[], int] = now_micros
    ) -> None:
        self._journal = journal
        self._counts = counts
        self._changes = changes
        self._log = log
        self._clock = clock
        self._budgets: dict[str, Budget] = {}
        self._subjects = Subjects(())
        self._freeze = Freeze()
        self._live: dict[str, Reservation] = {}

    def take(self, budgets: Iterable[Budget]) -> None:
        """Take these budgets for those that there are; what calls that run hold is held in these."""
        self._budgets = {budget.id: budget for budget in budgets}
        self._subjects = Subjects(self._budgets.values())
        self._counts.index(self._subjects, self._live.values())

    def take_freeze(self, freeze: Freeze) -> None:
        """Take note of how the stop switch stands, and do what it asks."""
        changed, self._freeze = freeze != self._freeze, freeze
        if changed and freeze.frozen and freeze.cut:
            for reservation in list(self._live.values()):
                reservation.cut()

    @property
    def running(self) -> int:
        """How many calls of this router run."""
        return len(self._live)

    def binds(self, who: Identity, target: str) -> bool:
        """Whether a budget can refuse a call for what it may generate, so that this must be bounded.

        `target`: `providers/{provider}` or `apis/{api}`.
        """
        return self._subjects.bind(who, target)

    async def reserve(self, who: Identity, target: Target, estimate: Estimate, call: str) -> Reservation:
        """Hold a call's worst case in every budget that it counts to; on disk when this returns.

        `call`: the UUIDv7 that its row in the ledger will have. The reservation must be entered (`with`): a call that
        is left without being settled or released counts as its worst case. Raises Refusal: 402 where a budget is used
        up, the price is unknown or spending is stopped, 429 where it is a budget of requests, 503 where the database
        cannot be written.
        """
        self._check_frozen()
        try:
            reservation = Reservation(self, who, target, estimate, call=call, micros=self._clock())
            self._counts.fit(reservation)
            stored = self._journal.reserve(reservation)
        except (JournalError, sqlite3.Error) as error:
            raise unavailable(error) from error
        self._counts.hold(reservation)
        self._live[call] = reservation
        await reservation.begun(stored)
        try:
            self._check_frozen()  # it may have been stopped meanwhile
        except Refusal:
            await reservation.release()
            raise
        return reservation

    def budgets(self) -> list[Budget]:
        """Give all, by id."""
        return [budget for _, budget in sorted(self._budgets.items())]

    def budget(self, ident: str) -> Budget:
        """Give one. Raises NotFound."""
        if ident not in self._budgets:
            message = f"there is no budget {ident!r}.{near(ident, self._budgets)}"
            raise NotFound("BUDGET_NOT_FOUND", message, hint="signet budget list")
        return self._budgets[ident]

    async def put(self, budget: Budget) -> Budget:
        """Store a budget, over an earlier one of the id, whose count is kept where it counts the same.

        Else the count is made from the ledger. Raises ResourceExhausted, Unavailable.
        """
        if budget.id not in self._budgets and len(self._budgets) >= _MOST_BUDGETS:
            raise ResourceExhausted("LIMIT_REACHED", f"there are {_MOST_BUDGETS} budgets: delete one first")
        await self._change(self._changes.put(budget, self._clock()), self.take)
        return self._budgets[budget.id]

    async def delete(self, ident: str) -> None:
        """Forget a budget and its counts. Raises NotFound, Unavailable."""
        self.budget(ident)
        await self._change(self._changes.remove(ident), self.take)

    async def state(self, budget: Budget) -> tuple[int, int, bool]:
        """Give what is used and reserved in the window of now, and whether it was warned of.

        Of a budget for each of a kind, the most of any one.
        """
        return await self._counts.state(budget, self._clock())

    @property
    def now(self) -> int:
        """The time that budgets go by, in microseconds."""
        return self._clock()

    @property
    def freeze(self) -> Freeze:
        """How the stop switch stands."""
        return self._freeze

    async def set_freeze(self, freeze: Freeze, *, cut: bool) -> Freeze:
        """Stop all spending, or let it go on; with `cut`, end calls that run, too. Raises Unavailable.

        Spending stops at once; that it stays stopped over a restart is on disk when this returns.
        """
        freeze = replace(freeze, time_micros=self._clock(), cut=cut)
        if freeze.frozen:
            self.take_freeze(freeze)
        await self._change(self._changes.keep(freeze), lambda _: None)
        self._freeze = freeze
        self._log.warning("spending_frozen" if freeze.frozen else "spending_unfrozen", caller=freeze.caller)
        return freeze

    def settle(self, reservation: Reservation) -> None:
        """Write the row of a reservation and count it."""
        if reservation.row is not None:
            reservation.stored = self._journal.settle(reservation, reservation.row)

    def give_back(self, reservation: Reservation) -> None:
        """End a reservation of which nothing was used."""
        reservation.stored = self._journal.release(reservation)

    def ended(self, reservation: Reservation) -> None:
        """Let go of what a reservation holds."""
        if self._live.pop(reservation.call, None) is not None:
            self._counts.free(reservation)

    def charge(self, counter: Counter, amount: int) -> None:
        """Count what was used, and say where that passes a line."""
        for event in counter.charge(amount):
            self._log.warning(event, budget=counter.budget.id, subject=counter.subject, used=counter.used)

    def _check_frozen(self) -> None:
        if self._freeze.frozen:
            raise self._freeze.refusal()

    async def _change(self, work: Work, then: Callable[[Any], None]) -> None:
        try:
            await self._journal.work(work, then).stored()
        except JournalError as error:
            raise store_error(str(error)) from error
