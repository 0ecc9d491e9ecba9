"""Brings what was asked to the provider that serves it: allowed, resolved, in its turn."""

import time
from dataclasses import dataclass

from router.ask import Ask
from router.attempt import Attempt, Bounds, Sink
from router.authorise import Identity
from router.fleet import Fleet
from router.refusal import Refusal
from router.route import Choice
from router.store.ledger import Ledger
from router.wire import Wire
from signet.kit.errors import NotFound

_BROKE = ("provider_error", "provider_unavailable")


@dataclass(frozen=True)
class Broker:
    """What every call needs."""

    fleet: Fleet
    wire: Wire
    ledger: Ledger
    bounds: Bounds

    async def answer(self, ask: Ask, who: Identity, sink: Sink) -> None:
        """Answer a call. Raises Refusal while nothing was sent."""
        began = time.monotonic()
        choice = self._choose(ask, who)
        provider = self.fleet.provider(choice.provider)
        wait = self.bounds.deadlines.first_byte_seconds
        model = provider.model(choice.upstream)
        for last in (False, True):
            target, gate = await provider.target(ask, choice.upstream, wait)
            attempt = Attempt(self.wire, self.ledger, self.bounds, ask, who, provider, model, target, began)
            try:
                async with gate.entered(wait):
                    await attempt.run(sink)
                return
            except Refusal as refusal:
                if last or sink.started or refusal.code not in _BROKE or not await provider.recovered():
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
