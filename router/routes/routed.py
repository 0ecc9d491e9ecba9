"""A route as a model: what can be asked by its name. Pure."""

import hashlib
import json
from dataclasses import replace

from router.model import Health, Model, Profile, State
from router.routes.lineup import Lineup
from router.routes.route import CAPABILITIES
from router.routes.standing import described


def routed(lineup: Lineup) -> Model:
    """Describe the model that a route is: it can do what any of its targets can, for calls go to those that can.

    It has no provider and no upstream name. Its digest is that of its targets and of their models, in order.
    """
    models = [described(stop.target, stop.lane.model) for stop in lineup.stops if stop.lane is not None]
    route = lineup.route
    content = [route.preference, [[target.name, target.weight] for target in route.targets], [m.digest for m in models]]
    digest = hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
    return Model(lineup.name, "", "", _profile([model.profile for model in models]), digest, _health(models))


def _profile(profiles: list[Profile]) -> Profile:
    if not profiles:
        return Profile()
    sizes = [each.context_tokens for each in profiles]
    profile = Profile(
        context_tokens=0 if 0 in sizes else max(sizes),
        tool_choice="NATIVE" if any(each.tool_choice == "NATIVE" for each in profiles) else "EMBEDDING",
        demonstration=all(each.demonstration for each in profiles),
        chat=any(each.chat for each in profiles),
        output_tokens=max(each.output_tokens for each in profiles),
    )
    able = {name: _any([getattr(each, name) for each in profiles]) for name in CAPABILITIES}
    return replace(profile, **able)  # type: ignore[arg-type] # all of them are bool | None


def _any(said: list[bool | None]) -> bool | None:
    if True in said:
        return True
    return None if None in said else False


def _health(models: list[Model]) -> Health:
    if not models:
        return Health(State.UNAVAILABLE, "none of its providers is there")
    for state in (State.READY, State.UNSPECIFIED, State.STARTING):
        if any(model.health.state is state for model in models):
            return Health(state)
    return Health(State.UNAVAILABLE, "; ".join(f"{model.name}: {model.health.detail}" for model in models))
