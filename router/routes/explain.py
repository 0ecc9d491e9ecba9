"""Why each target of a route would be tried, and in which place, or would not. Nothing is called."""

from dataclasses import dataclass

from router.routes.choose import Candidate, Standing
from router.routes.lineup import Lineup, Stop
from router.routes.route import LOAD, ORDER, PRICE, SPEED, WEIGHT
from router.routes.selection import Selection
from router.routes.standing import most

_MICRO = 1_000_000
_MILLI = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """A target, its place in the order of trial from 1 (0: not tried), why, and how many calls it may have now."""

    stop: Stop
    place: int
    reason: str
    allowed: int


async def explain(
    selection: Selection, lineup: Lineup, needed: frozenset[str], input_tokens: int, session: str
) -> list[Line]:
    """Say what would be done with a call: those that would be tried in their order, then the others in theirs.

    Where weights decide and there is no session, chance does, and the next call may find another order.
    """
    stands, found = await selection.explained(lineup, needed, input_tokens, session)
    places = {each.place: number for number, each in enumerate(found, 1)}
    lines = [
        Line(
            stop,
            places.get(place, 0),
            _reason(stand.candidate, lineup.route.preference, session, len(stands)),
            most(stop.target, stop.lane) if stop.lane is not None else 0,
        )
        for place, (stop, stand) in enumerate(zip(lineup.stops, stands, strict=True))
    ]
    return sorted(lines, key=lambda line: (line.place == 0, line.place))


def _reason(each: Candidate, preference: str, session: str, targets: int) -> str:
    if each.standing >= Standing.SHUT or targets == 1:
        return each.reason
    match preference:
        case preference if preference == ORDER:
            why = f"number {each.place + 1} of the route"
        case preference if preference == WEIGHT:
            why = f"weight {each.weight}, {'by the session' if session else 'at random'}"
        case preference if preference == PRICE:
            why = "its price is unknown" if each.price is None else f"${each.price / _MICRO:g} a million tokens"
        case preference if preference == SPEED:
            why = f"first byte in {each.micros / _MILLI:.0f} ms" if each.micros else "its speed is not known yet"
        case preference if preference == LOAD:
            why = f"{each.load:.0%} of its calls taken"
        case _:
            why = ""
    return f"{each.reason}: {why}"
