"""The order in which targets are tried. Pure: the same candidates, session and luck give the same order."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b

from router.routes.route import LOAD, PRICE, SPEED, WEIGHT

_SCALE = 1 << 64


class Standing(IntEnum):
    """How a target stands; those that can be tried are tried in this order."""

    READY = 0
    BUSY = 1  # as many calls as it is allowed: this one would wait
    DOUBTFUL = 2  # its provider says that it is not there
    SHUT = 3  # its circuit is open, or it wants to be left alone
    UNFIT = 4  # it cannot serve this call, or is not there at all


@dataclass(frozen=True, slots=True)
class Candidate:
    """A target as it is now. `place` is that in its route, from 0, and `name` what it is known by.

    `price` is in micro-USD for a million tokens, None unknown; `micros` until the first byte, 0 unknown; `load` the
    share of its calls at once that is taken.
    """

    place: int
    name: str
    weight: int
    standing: Standing
    reason: str
    price: int | None = None
    micros: int = 0
    load: float = 0.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What is preferred: one of PREFERENCES, for a session (empty: none), which so far was at the target `kept`."""

    preference: str
    session: str = ""
    kept: str = ""


def order(candidates: Iterable[Candidate], wish: Wish, luck: Callable[[], float]) -> list[Candidate]:
    """Give those that can be tried, the best first; what is not ready comes after all that is.

    `luck` gives numbers from 0 to 1, for calls of no session where weights are to decide.
    """
    found = [each for each in candidates if each.standing < Standing.SHUT]
    found.sort(key=lambda each: (each.standing, *_rank(each, wish, luck), -each.weight, each.place))
    return found


def _rank(each: Candidate, wish: Wish, luck: Callable[[], float]) -> tuple[float, ...]:
    match wish.preference:
        case preference if preference == WEIGHT:
            return (-_score(each, wish.session, luck),)
        case preference if preference == PRICE:
            return (each.price is None, each.price or 0)
        case preference if preference == SPEED:
            return (each.name != wish.kept, each.micros)
        case preference if preference == LOAD:
            return (each.name != wish.kept, each.load)
    return (each.place,)


def _score(each: Candidate, session: str, luck: Callable[[], float]) -> float:
    """Score a target by weighted rendezvous hashing: the highest wins, each as often as its weight says.

    D. Thaler and C. Ravishankar, "A Name-Based Mapping Scheme for Rendezvous" (1996), with weights by the logarithm. A
    target that is added takes its share from all others, and no session moves between those.
    """
    if session:
        digest = blake2b(f"{session}\0{each.name}".encode(), digest_size=8).digest()
        chance = (int.from_bytes(digest) + 0.5) / _SCALE
    else:
        chance = min(max(luck(), 1 / _SCALE), 1 - 1 / (1 << 53))
    return -each.weight / math.log(chance)
