"""What came of targets that did not answer, and what the caller is told where none did. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from router.attempt import Attempt, Ending
from router.refusal import Refusal

_OURS = (400, 413, 422)
_NOWHERE = ("ledger_unavailable", "spending_frozen")
_PUSHED = 429


@dataclass(frozen=True, slots=True)
class Miss:
    """A target that did not answer: what it was, what would be told, and whether another one may be asked.

    `anew`: it may take the same call when that is shaped anew, `broke`: or when it has recovered.
    """

    target: str
    refusal: Refusal
    passes: bool
    anew: bool = False
    broke: bool = False


def passes(refusal: Refusal, attempt: Attempt | None, *, repeat_timeouts: bool) -> bool:
    """Whether a call that one target did not answer may be put to another one. Nothing of an answer was sent on yet.

    Not where the request itself is wrong, the caller gone, or the router unable to keep account. A call that was taken
    and then met silence may still be worked on and charged: it goes on only where that costs nothing, or the route
    allows it.
    """
    if refusal.code in _NOWHERE:
        return False
    if attempt is None:
        return True
    match attempt.ending:
        case Ending.UNTRIED | Ending.UNREACHABLE | Ending.BROKEN:
            return True
        case Ending.REFUSED:
            return attempt.status not in _OURS
        case Ending.TIMEOUT:
            return repeat_timeouts or attempt.free
    return False


def merged(name: str, misses: Sequence[Miss]) -> Refusal:
    """Make one refusal of all: 429 with the smallest wait where all are pushed back, else what all say, else 503."""
    last = misses[-1].refusal
    if len(misses) == 1:
        return last
    refusals = [miss.refusal for miss in misses]
    told = "; ".join(f"{number}. {miss.target}: {miss.refusal.message}" for number, miss in enumerate(misses, 1))
    message = f"no target of {name} answered: {told}"
    waits = [each.retry_after_seconds for each in refusals if each.retry_after_seconds is not None]
    kinds = {(each.status, each.code) for each in refusals}
    if {status for status, _ in kinds} == {_PUSHED}:
        status, code = _PUSHED, "rate_limit_exceeded"
    elif len(kinds) == 1:
        status, code = last.status, last.code
    else:
        status, code = 503, "provider_unavailable"
    made = Refusal(status, code, message, last.param, retry_after_seconds=min(waits, default=None))
    made.usage = next((each.usage for each in reversed(refusals) if each.usage), None)
    return made
