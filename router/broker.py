"""Brings what was asked to the provider that serves it: allowed, resolved, in its turn."""

import time
from dataclasses import dataclass

from router.ask import Ask
from router.attempt import Attempt, Bounds, Sink
from router.authorise import Identity
from router.budgets.estimate import Ceiling, bound, limit_field
from router.budgets.meter import Meter
from router.budgets.reservation import Target
from router.dialects.codec import pick
from router.dialects.forms import form
from router.fleet import Fleet
from router.prices.book import Book
from router.refusal import Refusal
from router.route import Choice
from router.wire import Wire
from signet.kit.errors import NotFound
from signet.kit.names import uuid7

_ATTEMPTS = 2
_BROKE = ("provider_error", "provider_unavailable")


@dataclass(frozen=True)
class Broker:
    """What every call needs."""

    fleet: Fleet
    wire: Wire
    meter: Meter
    book: Book
    bounds: Bounds

    async def answer(self, ask: Ask, who: Identity, sink: Sink) -> None:
        """Answer a call. Raises Refusal while nothing was sent."""
        began = time.monotonic()
        choice = self._choose(ask, who)
        provider = self.fleet.provider(choice.provider)
        wait = self.bounds.deadlines.first_byte_seconds
        model = provider.model(choice.upstream)
        price = await self.book.price(provider.spec, choice.upstream)
        charged = Target(f"providers/{choice.provider}", f"models/{model.name}", choice.upstream, price.source)
        ceiling = Ceiling(
            model.profile.context_tokens,
            self.bounds.output_tokens,
            self.bounds.deadlines.total_seconds,
            limit_field(provider.spec.base_url),
        )
        ask, most = bound(ask, price, ceiling, put=self.meter.binds(who, charged.name))
        codec = pick(ask, form(provider.spec.kind))
        for number in range(1, _ATTEMPTS + 1):
            target, gate = await provider.target(ask, choice.upstream, wait)
            try:
                async with (
                    gate.entered(wait),
                    await self.meter.reserve(who, charged, most, uuid7()) as reservation,
                ):
                    attempt = Attempt(
                        self.wire, self.bounds, ask, codec, reservation, provider, model, price, target, began, number
                    )
                    await attempt.run(sink)
                return
            except Refusal as refusal:
                if number == _ATTEMPTS or sink.started or refusal.code not in _BROKE or not await provider.recovered():
                    raise

    def _choose(self, ask: Ask, who: Identity) -> Choice:
        try:
            name = self.fleet.name(ask.model)
            if not who.may(name):
                allowed = ", ".join(sorted(who.models or ())) or "none"
                message = f"{who.run} may not ask {name}; its agent may ask: {allowed}"
                raise Refusal(403, "model_not_allowed", message, "model")
            return self.fleet.choose(name)
        except NotFound as error:
            message = f"{error.message} See `{error.hint}`." if error.hint else error.message
            raise Refusal(404, "model_not_found", message, "model") from error
