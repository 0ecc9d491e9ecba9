"""Choosing a tool by what the wish is most like."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto

CHAT = ""
"""The label of sentences that ask for no tool."""
MARGIN = 0.08
"""Below this lead over the next label the choice is a guess, and the user is asked."""
LEAST = 0.15
"""A tool whose score is below this is a guess too, however far the others are behind."""


class Way(Enum):
    """What to do about a wish."""

    ANSWER = auto()
    """No tool: just talk."""
    CALL = auto()
    """Call the tool."""
    ASK = auto()
    """Ask whether the tool is meant."""
    LACK = auto()
    """It would take a tool that is not on offer."""


@dataclass(frozen=True)
class Choice:
    """What to do, and with which tool."""

    way: Way
    tool: str = CHAT


def decide(scores: Mapping[str, float], offered: Collection[str]) -> Choice:
    """Decide from each label's score. Labels that are neither CHAT nor offered are tools of other agents."""
    ranked = sorted(scores, key=lambda label: -scores[label])
    if not ranked or not offered:
        return Choice(Way.ANSWER)
    first, second = ranked[0], ranked[1] if len(ranked) > 1 else CHAT
    sure = scores[first] - scores.get(second, 0.0) >= MARGIN and scores[first] >= LEAST
    if sure and first == CHAT:
        return Choice(Way.ANSWER)
    if sure:
        return Choice(Way.CALL if first in offered else Way.LACK, first)
    doubtful = [label for label in (first, second) if label in offered]
    return Choice(Way.ASK, doubtful[0]) if doubtful else Choice(Way.ANSWER)
