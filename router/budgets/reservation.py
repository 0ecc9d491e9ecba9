"""One call's hold on its budgets, from before it is sent until its row is in the ledger."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

from router.authorise import Identity
from router.budgets.budget import Amounts
from router.budgets.counter import Counter
from router.budgets.estimate import Estimate
from router.budgets.refusals import unavailable
from router.store.journal import JournalError
from router.store.ledger import Row

if TYPE_CHECKING:
    from router.budgets.meter import Meter

_SECOND = 1_000_000


@dataclass(frozen=True)
class Target:
    """What a call is sent to.

    `name` is `providers/{provider}` or `apis/{api}`, `model` what was asked for as `models/{model}` (for an API its
    name), `upstream` the provider's own name of it.
    """

    name: str
    model: str
    upstream: str = ""
    price_source: str = ""


class Reservation:
    """A hold. Entered by the task that makes the call, which is what a cut cancels."""

    __slots__ = ("_cut", "_ended", "_first", "_meter", "_task", "began", "call", "estimate", "holds", "micros", "row",
                 "stored", "target", "who")  # fmt: skip

    def __init__(
        self, meter: "Meter", who: Identity, target: Target, estimate: Estimate, *, call: str, micros: int
    ) -> None:
        self._meter = meter
        self.who = who
        self.target = target
        self.estimate = estimate
        self.call = call
        self.micros = micros
        self.began = time.monotonic()
        self.holds: list[tuple[Counter, int]] = []
        self.row: Row | None = None
        self.stored: asyncio.Future[None] | None = None
        self._task: asyncio.Task[object] | None = None
        self._first: float | None = None
        self._cut = False
        self._ended = False

    def values(self) -> tuple[object, ...]:
        """Give what is stored, in the order of RESERVED."""
        who, target, estimate = self.who, self.target, self.estimate
        provider = target.name if target.name.startswith("providers/") else ""
        return (
            self.call, self.micros, who.caller, who.run, who.agent, who.session, target.model, provider,
            target.upstream, target.price_source, estimate.input_tokens, estimate.output_tokens, estimate.seconds,
            estimate.cost_microusd,
        )  # fmt: skip

    async def begun(self, stored: "asyncio.Future[None]") -> None:
        """Wait until it is on disk; where that fails, or the caller leaves meanwhile, it is given back."""
        try:
            await stored
        except JournalError as error:
            self.released()
            raise unavailable(error) from error
        except asyncio.CancelledError:
            self._end()
            raise

    def first_byte(self) -> None:
        """Take note that the answer begins."""
        if self._first is None:
            self._first = time.monotonic()

    @property
    def first_byte_micros(self) -> int:
        """From the reservation to the answer's beginning; 0 where there was none."""
        return int((self._first - self.began) * _SECOND) if self._first is not None else 0

    async def settle(self, row: Row) -> Row:
        """Write the call's row, whose id is the call's, and count it, in one transaction; on disk when this returns.

        The first settlement stands: another one gives its row. A caller that is cancelled meanwhile leaves it in the
        queue. Raises Refusal (503) where it cannot be written; it is tried again until it can.
        """
        if not self._ended:
            self._ended = True
            self.row = row
            self._meter.settle(self)
        if self.row is None:
            raise RuntimeError("a call that was released cannot be settled")
        await self._written()
        return self.row

    async def release(self) -> None:
        """Give all back: nothing was sent. Does nothing after a settlement."""
        self._end()
        await self._written()

    def cut(self) -> None:
        """End the call, as if its caller had left; it settles at what it used."""
        if self._task is not None and not self._ended and not self._cut:
            self._cut = True
            self._task.cancel()

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if not self._ended:  # nobody knows what was spent
            await self.settle(self._worst())
        cut = self._cut and isinstance(error, asyncio.CancelledError)
        if cut and task is not None and task.uncancel() == 0:
            raise self._meter.freeze.refusal() from error

    def charges(self, row: Row) -> Iterable[tuple[Counter, int]]:
        """Say what a settlement adds to which counts; where its price is not known any more, what was held."""
        used = Amounts(row.cost_microusd, row.input_tokens + row.output_tokens, -(-row.duration_micros // _SECOND))
        for counter, held in self.holds:
            amount = counter.budget.amount(used)
            yield counter, held if amount is None else max(amount, 0)

    def settled(self, charges: dict[Counter, int]) -> None:
        """Take note that it is on disk."""
        for counter, amount in charges.items():
            self._meter.charge(counter, amount)
        self._meter.ended(self)

    def released(self) -> None:
        """Take note that it is on disk no more."""
        self._ended = True
        self._meter.ended(self)

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._meter.give_back(self)

    async def _written(self) -> None:
        if self.stored is None:
            return
        try:
            await asyncio.shield(self.stored)
        except JournalError as error:
            raise unavailable(error) from error

    def _worst(self) -> Row:
        from router.budgets.recovery import LOST

        most = self.estimate
        return replace(
            self.blank(), input_tokens=most.input_tokens, output_tokens=most.output_tokens,
            cost_microusd=most.cost_microusd, estimated=True, outcome=LOST,
        )  # fmt: skip

    def blank(self) -> Row:
        """Give a row that says who called what, and nothing of what was used."""
        who, target = self.who, self.target
        return Row(
            id=self.call,
            time_micros=self._meter.now,
            caller=who.caller,
            run=who.run,
            agent=who.agent,
            session=who.session,
            model=target.model,
            provider=target.name if target.name.startswith("providers/") else "",
            input_tokens=0,
            output_tokens=0,
            cached_tokens=0,
            reasoning_tokens=0,
            cost_microusd=None,
            estimated=False,
            outcome="",
            duration_micros=int((time.monotonic() - self.began) * _SECOND),
            upstream_model=target.upstream,
            price_source=target.price_source,
            first_byte_micros=self.first_byte_micros,
        )
