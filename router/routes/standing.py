"""How each target of a lineup stands for a call."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from router.model import Model, Profile, State
from router.price import Price
from router.refusal import Refusal, provider_unavailable
from router.routes.choose import Candidate, Standing
from router.routes.circuit import OPEN
from router.routes.lane import Lane, Noticed
from router.routes.lineup import Stop
from router.routes.route import CAPABILITIES, Target

_INPUT_SHARE = 3
_PARTS = 4

Fit = Callable[[Model], Refusal | None]
"""Says why a model cannot serve a call."""


@dataclass(frozen=True, slots=True)
class Stand:
    """A candidate with what a call would be told for its sake, where it cannot be tried."""

    candidate: Candidate
    refusal: Refusal | None = None


def stand(place: int, stop: Stop, fits: Fit, price: Price | None, now: float) -> Stand:
    """Say how a target stands; `now` by the monotonic clock, `price` None where prices do not matter."""
    target, lane = stop.target, stop.lane
    if lane is None:
        return _unfit(place, target, f"there is no provider {target.provider}")
    if not lane.offered():
        return _unfit(place, target, f"provider {target.provider} does not offer {target.upstream}")
    trouble = fits(described(target, lane.model))
    if trouble is not None:
        return Stand(Candidate(place, lane.name, target.weight, Standing.UNFIT, trouble.message), trouble)
    standing, reason = _standing(target, lane, now)
    candidate = Candidate(
        place,
        lane.name,
        target.weight,
        standing,
        reason,
        None if price is None else blended(price),
        lane.speed.micros(now),
        lane.active / max(most(target, lane), 1),
    )
    return Stand(candidate, lane.shut(now) if standing is Standing.SHUT else None)


def described(target: Target, model: Model) -> Model:
    """Give a model as its route says that it is."""
    if not target.capabilities and not target.context_tokens:
        return model
    profile = model.profile
    if target.capabilities:
        profile = _able(profile, target.capabilities)
    if target.context_tokens:
        profile = replace(profile, context_tokens=target.context_tokens)
    return replace(model, profile=profile)


def most(target: Target, lane: Lane) -> int:
    """Say how many calls may run there now, for a target."""
    allowed = min(lane.allowed, target.concurrency or lane.allowed)
    return min(allowed, lane.gate.concurrency) if lane.gate is not None else allowed


def blended(price: Price) -> int | None:
    """Give micro-USD for a million tokens of which three in four are read; None unknown."""
    if price.input_microusd_per_million is None or price.output_microusd_per_million is None:
        return None
    read = price.input_microusd_per_million * _INPUT_SHARE
    return (read + price.output_microusd_per_million) // _PARTS


def _able(profile: Profile, capabilities: tuple[str, ...]) -> Profile:
    able = {name: name in capabilities for name in CAPABILITIES}
    return replace(profile, **able)  # type: ignore[arg-type] # all of them are bool | None


def _standing(target: Target, lane: Lane, now: float) -> tuple[Standing, str]:
    if not lane.circuit.admits(now):
        return Standing.SHUT, _shut(lane, now)
    health = lane.provider.health
    if not isinstance(health, Noticed):
        if health.state is State.UNAVAILABLE:
            return Standing.DOUBTFUL, f"its provider is unavailable: {health.detail}"
        if health.state is State.STARTING:
            return Standing.DOUBTFUL, "its provider is starting"
    room = lane.gate.room(lane, target.concurrency) if lane.gate is not None else lane.active < most(target, lane)
    if not room:
        return Standing.BUSY, f"busy with {lane.active} calls"
    return Standing.READY, "ready"


def _shut(lane: Lane, now: float) -> str:
    wait = lane.circuit.wait(now)
    if lane.circuit.held(now):
        return f"it asked to be left alone for another {wait:.0f} s"
    if lane.circuit.state(now) == OPEN:
        why = f": {lane.said.message}" if lane.said else ""
        return f"its last calls failed; it is tried again in {wait:.0f} s{why}"
    return "its last calls failed, and one call is trying whether it is back"


def _unfit(place: int, target: Target, why: str) -> Stand:
    candidate = Candidate(place, target.name, target.weight, Standing.UNFIT, why)
    return Stand(candidate, provider_unavailable(why))
