"""Brings what was asked to whoever serves it: allowed, resolved, in its turn."""

from dataclasses import dataclass

from router.ask import Ask
from router.authorise import Identity
from router.counting import Count, count
from router.fleet import Fleet
from router.redaction.clean import Clean
from router.refusal import Refusal, bad_request
from router.routes.lane import HOPS
from router.routes.lineup import Lineup
from router.routes.selection import Selection
from router.routes.trial import Means, Trial
from router.sink import Sink
from signet.kit.errors import NotFound

_MOST_HOPS = 4


@dataclass(frozen=True)
class Broker:
    """What every call needs. What the router keeps is taken out of answers and errors."""

    fleet: Fleet
    means: Means
    selection: Selection

    async def answer(self, ask: Ask, who: Identity, sink: Sink, hops: int = 0) -> None:
        """Answer a call that has passed so many routers before this one. Raises Refusal while nothing was sent."""
        try:
            await self._answer(ask, who, Clean(sink, self.means.redactor), hops)
        except Refusal as refusal:
            refusal.message = self.means.redactor.text(refusal.message)
            raise

    async def _answer(self, ask: Ask, who: Identity, sink: Sink, hops: int) -> None:
        if hops > _MOST_HOPS:
            raise bad_request(
                f"the call has passed {hops} routers ({HOPS}): a provider here leads back to this router, directly or "
                "through others; see `signet provider list`"
            )
        lineup = self._lineup(ask.model, who)
        stops = await self.selection.of(lineup, ask, who)
        answered = await Trial(self.means, lineup, ask, who, sink, hops=hops).run(stops)
        self.selection.keep(lineup, ask, who, answered)

    async def count(self, ask: Ask, who: Identity) -> Count:
        """Count what a chat request would read, which costs nothing. Raises Refusal (403, 404)."""
        return await count(self._lineup(ask.model, who), ask)

    def _lineup(self, asked: str, who: Identity) -> Lineup:
        """Resolve a name, for one who may ask for it."""
        try:
            name = self.fleet.name(asked)
            if not who.may(name):
                allowed = ", ".join(sorted(who.models or ())) or "none"
                message = f"{who.run} may not ask {name}; its agent may ask: {allowed}"
                raise Refusal(403, "model_not_allowed", message, "model")
            return self.fleet.lineup(name)
        except NotFound as error:
            message = f"{error.message} See `{error.hint}`." if error.hint else error.message
            raise Refusal(404, "model_not_found", message, "model") from error
