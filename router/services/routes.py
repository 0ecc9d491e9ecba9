"""RouteService: public model names, each with targets in order."""

import re
import time
from typing import Any

from router.fleet import Fleet
from router.routes.circuit import CLOSED
from router.routes.explain import Line, explain
from router.routes.route import CAPABILITIES, ORDER, PREFERENCES, WEIGHT_DEFAULT, Route, Target
from router.routes.selection import Selection
from signet.kit.errors import invalid
from signet.kit.names import SLUG, parse
from signet.kit.paging import Page
from signet.kit.times import now_micros, stamp
from signet.v1 import routes_pb2 as pb
from signet.v1.routes_pb2_grpc import RouteServiceServicer

_NAME = re.compile(r"[a-z][a-z0-9.-]{0,62}")
_NAME_WORDS = "1-63 of a-z, 0-9, . and -, beginning with a letter"
_RESERVED = "default"
_MOST_TARGETS = 32
_MOST_WEIGHT = 1_000
_MOST_CALLS = 10_000
_MOST_TOKENS = 1 << 31
_MOST_HEDGE = 600_000
_MOST_MODEL = 200
_MOST_WORDS = 200


class RouteServer(RouteServiceServicer):
    """Answers from the fleet's table of routes."""

    def __init__(self, fleet: Fleet, selection: Selection) -> None:
        self._fleet = fleet
        self._selection = selection

    async def PutRoute(self, request: pb.PutRouteRequest, context: Any) -> pb.PutRouteResponse:
        """Store a route."""
        route = read(request.route)
        await self._fleet.put_route(route)
        return pb.PutRouteResponse(route=wire(route))

    async def GetRoute(self, request: pb.GetRouteRequest, context: Any) -> pb.GetRouteResponse:
        """Return a route."""
        return pb.GetRouteResponse(route=wire(self._fleet.routes.get(parse("routes", request.name))))

    async def ListRoutes(self, request: pb.ListRoutesRequest, context: Any) -> pb.ListRoutesResponse:
        """Return routes by name, a page at a time."""
        page = Page.parse(request)
        after = str(page.position[0]) if page.position else ""
        found = self._fleet.routes.page(after, page.size + 1)
        token = page.token(found[page.size - 1].name) if len(found) > page.size else ""
        return pb.ListRoutesResponse(routes=[wire(route) for route in found[: page.size]], next_page_token=token)

    async def DeleteRoute(self, request: pb.DeleteRouteRequest, context: Any) -> pb.DeleteRouteResponse:
        """Remove a route."""
        await self._fleet.routes.delete(parse("routes", request.name))
        return pb.DeleteRouteResponse()

    async def ExplainRoute(self, request: pb.ExplainRouteRequest, context: Any) -> pb.ExplainRouteResponse:
        """Tell which target a call would get now, and why each other one would not."""
        name = self._fleet.name(parse("models", request.model, "model"))
        _check(request)
        lineup = self._fleet.lineup(name)
        lines = await explain(self._selection, lineup, frozenset(request.needs), request.input_tokens, request.session)
        now = time.monotonic()
        return pb.ExplainRouteResponse(targets=[_state(line, now) for line in lines])


def wire(route: Route) -> pb.Route:
    """Put a route on the wire."""
    return pb.Route(
        name=f"routes/{route.name}",
        targets=[_target(target) for target in route.targets],
        preference=f"ROUTE_PREFERENCE_{route.preference}",
        hedge_millis=route.hedge_millis,
        repeat_timeouts=route.repeat_timeouts,
        description=route.description,
        update_time=stamp(route.update_micros),
    )


def read(given: pb.Route) -> Route:
    """Read a route. Raises InvalidArgument with everything that is wrong."""
    problems: list[tuple[str, str]] = []
    prefix, _, name = given.name.partition("/")
    if prefix != "routes" or not _NAME.fullmatch(name) or name == _RESERVED:
        problems.append(("route.name", f"must be `routes/{{route}}`, {{route}} {_NAME_WORDS}, and not `default`"))
    if not 1 <= len(given.targets) <= _MOST_TARGETS:
        problems.append(("route.targets", f"must be 1 to {_MOST_TARGETS} targets"))
    for index, target in enumerate(given.targets[:_MOST_TARGETS]):
        problems += [(f"route.targets[{index}].{field}", text) for field, text in _troubles(target)]
    seen = {(target.provider, target.upstream_model) for target in given.targets}
    if len(seen) < len(given.targets):
        problems.append(("route.targets", "must be different ones"))
    word = pb.RoutePreference.Name(given.preference) if given.preference in pb.RoutePreference.values() else ""
    preference = word.removeprefix("ROUTE_PREFERENCE_").replace("UNSPECIFIED", ORDER)
    if preference not in PREFERENCES:
        problems.append(("route.preference", "is no value that is known here"))
    if not 0 <= given.hedge_millis <= _MOST_HEDGE:
        problems.append(("route.hedge_millis", f"must be 0 to {_MOST_HEDGE}"))
    if len(given.description) > _MOST_WORDS or not given.description.isprintable():
        problems.append(("route.description", f"must be one line of at most {_MOST_WORDS} characters"))
    if problems:
        raise invalid(*problems)
    return Route(
        name,
        tuple(_read(target) for target in given.targets),
        preference,
        given.hedge_millis,
        given.repeat_timeouts,
        given.description,
        now_micros(),
    )


def _troubles(target: pb.Target) -> list[tuple[str, str]]:
    prefix, _, ident = target.provider.partition("/")
    model = target.upstream_model
    rules = {
        "provider": (prefix == "providers" and bool(SLUG.fullmatch(ident)), "must be `providers/{provider}`"),
        "upstream_model": (
            0 < len(model) <= _MOST_MODEL and model.isprintable() and not model.isspace(),
            f"must be 1-{_MOST_MODEL} printable characters",
        ),
        "weight": (0 <= target.weight <= _MOST_WEIGHT, f"must be 1 to {_MOST_WEIGHT}, or 0 for {WEIGHT_DEFAULT}"),
        "concurrency": (0 <= target.concurrency <= _MOST_CALLS, f"must be 0 to {_MOST_CALLS}"),
        "context_tokens": (0 <= target.context_tokens < _MOST_TOKENS, "must not be below 0"),
        "capabilities": (set(target.capabilities) <= set(CAPABILITIES), f"must be of {', '.join(CAPABILITIES)}"),
    }
    return [(field, text) for field, (fine, text) in rules.items() if not fine]


def _read(target: pb.Target) -> Target:
    return Target(
        target.provider.partition("/")[2],
        target.upstream_model,
        target.weight or WEIGHT_DEFAULT,
        target.concurrency,
        target.context_tokens,
        tuple(sorted(set(target.capabilities))),
    )


def _target(target: Target) -> pb.Target:
    return pb.Target(
        provider=f"providers/{target.provider}",
        upstream_model=target.upstream,
        weight=target.weight,
        concurrency=target.concurrency,
        context_tokens=target.context_tokens,
        capabilities=target.capabilities,
    )


def _check(request: pb.ExplainRouteRequest) -> None:
    problems = []
    if not set(request.needs) <= set(CAPABILITIES):
        problems.append(("needs", f"must be of {', '.join(CAPABILITIES)}"))
    if request.input_tokens < 0:
        problems.append(("input_tokens", "must not be below 0"))
    if problems:
        raise invalid(*problems)


def _state(line: Line, now: float) -> pb.TargetState:
    lane = line.stop.lane
    return pb.TargetState(
        target=_target(line.stop.target),
        place=line.place,
        reason=line.reason,
        active=lane.active if lane else 0,
        allowed=line.allowed,
        circuit=lane.circuit.state(now) if lane else CLOSED,
        first_byte_micros=lane.speed.micros(now) if lane else 0,
        failures_per_mille=lane.circuit.failures_per_mille if lane else 0,
    )
