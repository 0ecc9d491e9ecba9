"""One call on its way: which target it is put to, and which next where that one does not answer."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from router.ask import CHAT, EMBEDDINGS, Ask
from router.attempt import Attempt, Bounds
from router.authorise import Identity
from router.budgets.estimate import bound
from router.budgets.meter import Meter
from router.dialects.codec import pick
from router.observe.observer import Observer
from router.price import at_tier
from router.prices.book import Book
from router.providers.contract import shapes
from router.redaction.redactor import Redactor
from router.refusal import Refusal
from router.room import counted_excess
from router.routes import hedge
from router.routes.lane import Lane
from router.routes.lineup import Lineup, Stop
from router.routes.miss import Miss, merged, passes
from router.routes.standing import described
from router.sink import Sink
from router.wire import Wire
from signet.kit.names import uuid7

_BROKE = ("provider_error", "provider_unavailable")
_OPERATIONS = {CHAT: "chat", EMBEDDINGS: "embeddings"}


@dataclass(frozen=True, slots=True)
class Means:
    """What every call needs: the way out, meter, prices, bounds, what takes secrets out, and who looks on."""

    wire: Wire
    meter: Meter
    book: Book
    bounds: Bounds
    redactor: Redactor
    observer: Observer


class Trial:
    """A call that is allowed. `hops`: how many routers it has passed before this one."""

    __slots__ = ("_arrived", "_ask", "_hops", "_lineup", "_means", "_number", "_sink", "_who")

    def __init__(self, means: Means, lineup: Lineup, ask: Ask, who: Identity, sink: Sink, *, hops: int) -> None:
        self._means = means
        self._lineup = lineup
        self._ask = ask
        self._who = who
        self._sink = sink
        self._hops = hops
        self._arrived = time.monotonic()
        self._number = 0

    async def run(self, order: Sequence[Stop]) -> Stop:
        """Bring the answer of the first that gives one, in this order; gives who did. Raises Refusal."""
        after = self._lineup.route.hedge_millis / 1000
        if after and len(order) > 1:
            answered, misses = await hedge.run(order, self.put, self._sink, after)
            if answered is not None:
                return answered
        else:
            misses = []
            for stop in order:
                miss = await self.put(stop)
                if miss is None:
                    return stop
                misses.append(miss)
                if self._sink.started or not miss.passes:
                    break
        if self._sink.started or not misses[-1].passes:
            raise misses[-1].refusal
        raise merged(self._lineup.name, misses)

    async def put(self, stop: Stop, begins: Callable[[], None] | None = None) -> Miss | None:
        """Put it to one target, and once more where that recovered; None where it was answered."""
        lane = stop.lane
        if lane is None:
            raise RuntimeError("a target without a provider is never tried")
        miss = await self._once(stop, lane, begins)
        if miss is not None and miss.anew:
            miss = await self._once(stop, lane, begins)
        if miss is None or self._sink.started or not miss.broke:
            return miss
        return await self._once(stop, lane, begins) if await lane.provider.recovered() else miss

    async def _once(self, stop: Stop, lane: Lane, begins: Callable[[], None] | None) -> Miss | None:
        attempt: Attempt | None = None
        probe = False
        bounds, meter = self._means.bounds, self._means.meter
        try:
            self._check(lane)
            wait = min(bounds.deadlines.first_byte_seconds, self._time_left())
            provider = lane.provider
            where, gate = await provider.target(self._ask, lane.upstream, wait)
            lane.gate = gate
            model = described(stop.target, lane.model)
            if (trouble := await counted_excess(self._ask, model, provider)) is not None:
                raise trouble
            price = await self._means.book.price(provider.spec, lane.upstream, model.price)
            if "service_tier" in self._ask.body:
                price = at_tier(price, self._ask.body["service_tier"])
            billed = lane.billed(self._lineup.model, price.source)
            seconds = bounds.deadlines.total_seconds
            ceiling = lane.ceiling(model.profile.context_tokens, bounds.output_tokens, seconds)
            ask, most = bound(self._ask, price, ceiling, put=meter.binds(self._who, lane.charged))
            if (way := shapes(provider)) is not None:
                ask = way.shaped(ask)
            codec = pick(ask, lane.form)
            await gate.enter(lane, wait, stop.target.concurrency)
            try:
                self._check(lane)  # it may have been closed meanwhile
                probe = lane.circuit.begin()
                async with await meter.reserve(self._who, billed, most, uuid7()) as reservation:
                    self._number += 1
                    sight = self._means.observer.begin(ask.trace, _OPERATIONS[ask.endpoint], self._lineup.name)
                    attempt = Attempt(
                        self._means.wire,
                        bounds,
                        ask,
                        codec,
                        lane,
                        redactor=self._means.redactor,
                        reservation=reservation,
                        price=price,
                        target=lane.told(where, self._hops, sight.headers),
                        sight=sight,
                        arrived=self._arrived,
                        number=self._number,
                        probe=probe,
                    )
                    if begins is not None:
                        attempt.begins = begins
                    await attempt.run(self._sink)
            finally:
                gate.leave(lane)
                if probe and attempt is None:
                    lane.circuit.unknown(probe=True)
        except Refusal as refusal:
            repeat = self._lineup.route.repeat_timeouts
            anew = attempt is not None and attempt.anew
            broke = attempt is not None and refusal.code in _BROKE
            return Miss(lane.name, refusal, passes(refusal, attempt, repeat_timeouts=repeat), anew, broke)
        return None

    def _check(self, lane: Lane) -> None:
        now = time.monotonic()
        if not lane.circuit.admits(now):
            raise lane.shut(now)

    def _time_left(self) -> float:
        return max(self._arrived + self._means.bounds.deadlines.total_seconds - time.monotonic(), 0.0)
