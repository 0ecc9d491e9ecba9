"""One call's hold on its budgets, from before it is sent until its row is in the ledger."""

import asyncio
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from router.authorise import Identity
from router.budgets.estimate import Estimate
from router.budgets.fit import Holds, charges
from router.budgets.refusals import unavailable
from router.refusal import Refusal
from router.store.journal import Entry, JournalError
from router.store.ledger import Row
from router.usage import Usage

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
        self.holds: Holds = []
        self.row: Row | None = None
        self.stored: Entry | None = None
        self._task: asyncio.Task[object] | None = None
        self._first: float | None = None
        self._cut = False
        self._ended = False

    def values(self) -> tuple[object, ...]:
        """Give what is stored: the columns of `reservations` up to its router."""
        who, target, estimate = self.who, self.target, self.estimate
        provider = target.name if target.name.startswith("providers/") else ""
        return (
            self.call, self.micros, who.caller, who.run, who.agent, who.session, target.model, provider,
            target.upstream, target.price_source, estimate.input_tokens, estimate.output_tokens, estimate.seconds,
            estimate.cost_microusd,
        )  # fmt: skip

    async def begun(self, entry: Entry) -> None:
        """Wait until it is on disk; where that fails, or the caller leaves meanwhile, it is given back.

        Raises Refusal where it cannot be, or the database does not admit it.
        """
        try:
            await entry.stored()
        except JournalError as error:
            self.released()
            raise unavailable(error) from error
        except Refusal:
            self.released()
            raise
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

    def charges(self, row: Row) -> Holds:
        """Say what a settlement adds to which counts."""
        return charges(self.holds, row)

    def settled(self, charged: Holds) -> None:
        """Take note that it is on disk."""
        for counter, amount in charged:
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
            await self.stored.stored()
        except JournalError as error:
            raise unavailable(error) from error

    def _worst(self) -> Row:
        from router.budgets.recovery import LOST

        most = self.estimate
        return self.ended_as(Usage(most.input_tokens, most.output_tokens, estimated=True), most.cost_microusd, LOST)

    def ended_as(
        self, usage: Usage, cost_microusd: int | None, outcome: str, *, arrived: float | None = None, attempts: int = 1
    ) -> Row:
        """Make the call's row: what it used, what that cost, and how it ended, now.

        `arrived`: when the call did, by the monotonic clock; else it is its reservation that counts.
        """
        who, target = self.who, self.target
        arrived = self.began if arrived is None else arrived
        return Row(
            self.call,
            self._meter.now,
            who.caller,
            who.run,
            who.agent,
            who.session,
            target.model,
            target.name if target.name.startswith("providers/") else "",
            usage.input_tokens,
            usage.output_tokens,
            usage.cached_tokens,
            usage.reasoning_tokens,
            cost_microusd,
            usage.estimated,
            outcome,
            int((time.monotonic() - arrived) * _SECOND),
            target.upstream,
            target.price_source,
            int((self.began - arrived) * _SECOND),
            self.first_byte_micros,
            attempts,
            usage.cache_write_tokens,
        )
