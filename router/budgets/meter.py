"""The meter: a call reserves its worst case before it is sent, and settles at what it used.

What is held is on disk before anything is spent, so neither many calls at once nor a crash spends more than a limit.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace

from router.authorise import Identity
from router.budgets.budget import ALLOW, Budget
from router.budgets.counter import Counter, Counters
from router.budgets.estimate import Estimate
from router.budgets.freeze import Freeze
from router.budgets.period import window
from router.budgets.recovery import lost
from router.budgets.refusals import exhausted, unavailable, unpriced
from router.budgets.reservation import Reservation, Target
from router.budgets.subjects import Subjects
from router.refusal import Refusal
from router.store import budgets as store
from router.store.budgets import BudgetStore
from router.store.database import Writer, store_error
from router.store.journal import Journal, JournalError, Work
from signet.kit.errors import NotFound, ResourceExhausted, SignetError, near
from signet.kit.log import Log
from signet.kit.times import now_micros

_MOST_BUDGETS = 1_000
_KNOWN = 4_096
_DAY_MICROS = 86_400_000_000


class Meter:
    """Budgets, their counts, and the calls that run. Not for more than one router on a database."""

    def __init__(self, journal: Journal, kept: BudgetStore, log: Log, clock: Callable[[], int] = now_micros) -> None:
        self._journal = journal
        self._store = kept
        self._log = log
        self._clock = clock
        self._counters = Counters(kept.use)
        self._budgets: dict[str, Budget] = {}
        self._subjects = Subjects(())
        self._freeze = Freeze()
        self._live: dict[str, Reservation] = {}
        self._known: dict[tuple[object, ...], list[Counter]] = {}
        self._known_since = 0

    def start(self, writer: Writer) -> int:
        """Read what is kept, and settle the calls that a router before this one left; gives how many.

        Each counts as its worst case, for nobody knows how far it came. Raises sqlite3.Error.
        """
        self._freeze = self._store.freeze()
        self._index(self._store.budgets())
        reserved = self._store.reserved()
        if reserved:
            writer.transact(store.end(*lost(reserved, self._subjects, self._clock())))
            self._log.warning("calls_lost", calls=len(reserved))
        return len(reserved)

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
            reservation.holds = self._fit(reservation)
            stored = self._journal.reserve(reservation.values())
        except (JournalError, sqlite3.Error) as error:
            raise unavailable(error) from error
        for counter, amount in reservation.holds:
            counter.hold(amount)
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
        old = self._budgets.get(budget.id)
        if old is None and len(self._budgets) >= _MOST_BUDGETS:
            raise ResourceExhausted("LIMIT_REACHED", f"there are {_MOST_BUDGETS} budgets: delete one first")
        now = self._clock()
        budget = replace(budget, create_micros=old.create_micros if old else now)
        anew = old is None or not budget.counts_as(old)
        await self._change(
            store.put(budget, now, anew=anew), lambda: self._index({**self._budgets, budget.id: budget}.values())
        )
        return budget

    async def delete(self, ident: str) -> None:
        """Forget a budget and its counts. Raises NotFound, Unavailable."""
        self.budget(ident)
        kept = [budget for budget in self._budgets.values() if budget.id != ident]
        await self._change(store.remove(ident), lambda: self._index(kept))

    async def state(self, budget: Budget) -> tuple[int, int, bool]:
        """Give what is used and reserved in the window of now, and whether it was warned of.

        Of a budget for each of a kind, the most of any one.
        """
        now = self._clock()
        used, warned = await asyncio.to_thread(self._store.most, budget.id, window(budget.period, now))
        return used, self._counters.held(budget, now), warned

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
        before = self._freeze
        freeze = replace(freeze, time_micros=self._clock())
        if freeze.frozen:
            self._freeze = freeze
            for reservation in list(self._live.values()) if cut else ():
                reservation.cut()
        try:
            await self._change(store.keep(freeze), lambda: None)
        except SignetError:
            if not freeze.frozen:
                self._freeze = before
            raise
        self._freeze = freeze
        self._log.warning("spending_frozen" if freeze.frozen else "spending_unfrozen", caller=freeze.caller)
        return freeze

    def settle(self, reservation: Reservation) -> None:
        """Write the row of a reservation and count it."""
        if reservation.row is not None:
            reservation.stored = self._journal.settle(reservation, reservation.row)

    def give_back(self, reservation: Reservation) -> None:
        """End a reservation of which nothing was used."""
        reservation.stored = self._journal.release(reservation, reservation.call)

    def ended(self, reservation: Reservation) -> None:
        """Let go of what a reservation holds."""
        if self._live.pop(reservation.call, None) is not None:
            for counter, amount in reservation.holds:
                counter.free(amount)

    def charge(self, counter: Counter, amount: int) -> None:
        """Count what was used, and say where that passes a line."""
        budget = counter.budget
        before = counter.used
        warns = counter.warns(amount)
        counter.charge(amount)
        if warns:
            counter.warned = True
            self._log.warning("budget_warned", budget=budget.id, subject=counter.subject, used=counter.used)
        if before <= budget.limit < counter.used:
            self._log.warning("budget_exceeded", budget=budget.id, subject=counter.subject, used=counter.used)

    def _check_frozen(self) -> None:
        if self._freeze.frozen:
            raise self._freeze.refusal()

    def _fit(self, reservation: Reservation) -> list[tuple[Counter, int]]:
        """Find what a call is to hold. Raises Refusal where it does not fit."""
        holds: list[tuple[Counter, int]] = []
        amounts = reservation.estimate.amounts
        for counter in self._counts(reservation):
            budget = counter.budget
            amount = budget.amount(amounts)
            if amount is None and not budget.soft and budget.unknown_price != ALLOW:
                raise unpriced(budget, reservation.target.model)
            if not counter.fits(amount or 0):
                raise exhausted(counter, amount or 0, reservation.micros)
            holds.append((counter, amount or 0))
        return holds

    def _counts(self, reservation: Reservation) -> list[Counter]:
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

    async def _change(self, work: Work, then: Callable[[], None]) -> None:
        try:
            await self._journal.work(work, lambda _: then()).stored()
        except JournalError as error:
            raise store_error(str(error)) from error

    def _index(self, budgets: Iterable[Budget]) -> None:
        """Take these budgets for those that there are; what calls that run hold is held in these."""
        self._budgets = {budget.id: budget for budget in budgets}
        self._subjects = Subjects(self._budgets.values())
        self._counters.forget()
        for reservation in self._live.values():
            amounts = reservation.estimate.amounts
            reservation.holds = [(each, each.budget.amount(amounts) or 0) for each in self._counts(reservation)]
            for counter, amount in reservation.holds:
                counter.hold(amount)
