"""Selects the targets of a call: how they stand, and in which order they are tried."""

import random
import time
from collections.abc import Callable, Iterable, Sequence

from router.ask import Ask
from router.authorise import Identity
from router.model import Model
from router.needs import check, instead, lacks, needs
from router.price import Price
from router.prices.book import Book
from router.refusal import Refusal, bad_request
from router.room import excess
from router.routes.choose import Candidate, Standing, Wish, order
from router.routes.lineup import Lineup, Stop
from router.routes.miss import Miss, merged
from router.routes.route import PRICE
from router.routes.standing import Fit, Stand, stand
from router.routes.sticky import Sticky

_CALLERS_FAULT = 400
_MOST_SESSION = 256


class Selection:
    """Selects for one router. `models` gives every model that can be named, for those who ask one that cannot."""

    def __init__(self, book: Book, models: Callable[[], Iterable[Model]]) -> None:
        self._book = book
        self._models = models
        self._sticky = Sticky()
        self._luck = random.Random().random  # noqa: S311 - it spreads load, and keeps no secret

    async def of(self, lineup: Lineup, ask: Ask, who: Identity) -> Sequence[Stop]:
        """Give the targets of a call in the order of trial. Raises Refusal where none can be tried."""
        stops = lineup.stops
        if len(stops) == 1 and lineup.plain:
            lane = stops[0].lane
            if lane is not None and (trouble := check(ask, lane.model, self._able(who))) is not None:
                raise trouble
            return stops
        needed = needs(ask)

        def fits(model: Model) -> Refusal | None:
            missing = lacks(model.profile, needed) if needed else ()
            return _lacking(model, missing) if missing else excess(ask, model)

        stands, found = await self._ordered(lineup, fits, session(ask, who))
        if not found:
            raise self._none(lineup, ask, stands, who)
        return [stops[each.place] for each in found]

    async def explained(
        self, lineup: Lineup, needed: frozenset[str], tokens: int, session: str
    ) -> tuple[list[Stand], list[Candidate]]:
        """Say how every target stands for a call that needs this, and in which order they would be tried."""

        def fits(model: Model) -> Refusal | None:
            missing = lacks(model.profile, needed)
            room = model.profile.most_tokens
            if missing:
                return _lacking(model, missing)
            return bad_request(f"{model.name} takes {room:,} tokens") if 0 < room < tokens else None

        return await self._ordered(lineup, fits, session)

    def keep(self, lineup: Lineup, ask: Ask, who: Identity, stop: Stop) -> None:
        """Take note of who answered."""
        if len(lineup.stops) > 1:
            self._sticky.keep(lineup.name, lineup.route.preference, session(ask, who), stop.target.name)

    async def _ordered(self, lineup: Lineup, fits: Fit, session: str) -> tuple[list[Stand], list[Candidate]]:
        route = lineup.route
        prices = [await self._price(stop) for stop in lineup.stops] if route.preference == PRICE else None
        now = time.monotonic()
        stands = [
            stand(place, stop, fits, prices[place] if prices else None, now) for place, stop in enumerate(lineup.stops)
        ]
        wish = Wish(route.preference, session, self._sticky.kept(lineup.name, session) if session else "")
        return stands, order((each.candidate for each in stands), wish, self._luck)

    async def _price(self, stop: Stop) -> Price | None:
        if stop.lane is None:
            return None
        return await self._book.price(stop.lane.provider.spec, stop.lane.upstream, stop.lane.model.price)

    def _able(self, who: Identity) -> Iterable[Model]:
        """Give the models that a caller may ask; looked through only where there is something to refuse."""
        yield from (model for model in self._models() if who.may(model.name))

    def _none(self, lineup: Lineup, ask: Ask, stands: Sequence[Stand], who: Identity) -> Refusal:
        """Say why none can be tried: what the call needs, where that is all that is wrong; else when to come again."""
        refusals = [each.refusal for each in stands if each.refusal is not None]
        if any(each.status != _CALLERS_FAULT for each in refusals):
            waiting = [each for each in stands if each.candidate.standing is Standing.SHUT] or stands
            told = [
                Miss(each.candidate.name, each.refusal, passes=True) for each in waiting if each.refusal is not None
            ]
            return merged(lineup.name, told)
        needed = needs(ask)
        why = "; ".join(each.message for each in refusals)
        other = f"; {instead(needed, self._able(who))}" if needed else ""
        first = refusals[0]
        return Refusal(
            _CALLERS_FAULT, first.code, f"no target of {lineup.name} can serve this: {why}{other}", first.param
        )


def _lacking(model: Model, missing: Sequence[str]) -> Refusal:
    return bad_request(f"{model.name} lacks {', '.join(missing)}")


def session(ask: Ask, who: Identity) -> str:
    """Say for what a call should meet the same target again: its session, else the cache key that it names itself."""
    if who.session:
        return who.session
    key = ask.body.get("prompt_cache_key")
    return key[:_MOST_SESSION] if isinstance(key, str) else ""
