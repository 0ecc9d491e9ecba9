"""Routes: public model names, each with targets in order."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify, utf8
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.kit.errors import invalid
from signet.v1 import routes_pb2 as pb
from signet.v1.routes_pb2_grpc import RouteServiceStub

if TYPE_CHECKING:
    from signet.v1.routes_pb2_grpc import RouteServiceAsyncStub

PREFERENCES = ("order", "weight", "price", "speed", "load")
"""How to choose among targets that are ready."""

CAPABILITIES = ("tools", "images", "json_schema", "reasoning", "embeddings")
"""What a target can be said to do, and a call to need."""


class AsyncRoutes:
    """The routes of a fleet. Names may be short (`fast`) or full (`routes/fast`); a route's model is `models/fast`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "RouteServiceAsyncStub":
        return RouteServiceStub(self._connection.channels.router)

    async def put(
        self,
        name: str,
        targets: Iterable[pb.Target],
        *,
        prefer: str = "order",
        hedge_millis: int = 0,
        repeat_timeouts: bool = False,
        description: str = "",
    ) -> pb.Route:
        """Store a route of 1-32 targets, over an earlier one of the name; it is in effect when this returns.

        `prefer` is one of PREFERENCES. `hedge_millis` (0: never): ask the next target, too, where the first has not
        begun to answer by then; with `repeat_timeouts` also where one took the call and said nothing until its
        deadline. Either may cost both. Raises InvalidArgument, NotFound (a provider), AlreadyExists (a provider has
        the name).
        """
        if prefer not in PREFERENCES:
            raise invalid(("prefer", f"must be one of {', '.join(PREFERENCES)}, not {prefer!r}"))
        route = pb.Route(
            name=qualify("routes", name),
            targets=targets,
            preference=f"ROUTE_PREFERENCE_{prefer.upper()}",
            hedge_millis=hedge_millis,
            repeat_timeouts=repeat_timeouts,
            description=utf8("description", description),
        )
        return (await self._connection.call(self._stub.PutRoute, pb.PutRouteRequest(route=route))).route

    async def get(self, name: str) -> pb.Route:
        """Give one route. Raises NotFound, with near names."""
        request = pb.GetRouteRequest(name=qualify("routes", name))
        return (await self._connection.call(self._stub.GetRoute, request)).route

    def list(self, *, page_size: int = 0, page_token: str = "") -> Pages[pb.ListRoutesResponse, pb.Route]:
        """Give all routes by name."""
        request = pb.ListRoutesRequest(page_size=page_size, page_token=page_token)
        return Pages(self._connection, lambda: self._stub.ListRoutes, request, lambda page: page.routes)

    async def delete(self, name: str) -> None:
        """Remove a route; calls that run go on. Raises NotFound."""
        request = pb.DeleteRouteRequest(name=qualify("routes", name))
        await self._connection.call(self._stub.DeleteRoute, request, repeat=False)

    async def explain(
        self, model: str, *, session: str = "", needs: Sequence[str] = (), input_tokens: int = 0
    ) -> pb.ExplainRouteResponse:
        """Tell which target a call of a model would get now, and why each other one would not; nothing is called.

        `model` is a route's or a provider's own; `needs` are of CAPABILITIES; `input_tokens` 0: unknown. Raises
        NotFound, InvalidArgument.
        """
        request = pb.ExplainRouteRequest(
            model=qualify("models", model),
            session=qualify("sessions", session) if session else "",
            needs=needs,
            input_tokens=input_tokens,
        )
        return await self._connection.call(self._stub.ExplainRoute, request)
