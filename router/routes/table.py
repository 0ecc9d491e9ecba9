"""The routes that there are now, in memory and on disk."""

import heapq
from collections.abc import Callable, Iterator

from router.route import near_name
from router.routes.route import Route
from router.store.routes import RouteStore
from signet.kit.errors import NotFound


class Table:
    """Routes by name. A route costs its row and its place here, and nothing else while nobody asks for it.

    `changed` is called after every change.
    """

    def __init__(self, store: RouteStore, changed: Callable[[], None]) -> None:
        self._store = store
        self._changed = changed
        self._routes: dict[str, Route] = {}

    async def reload(self) -> None:
        """Take up what is stored, which another router may have changed. Raises SignetError."""
        self._routes = {route.name: route for route in await self._store.all()}
        self._changed()

    def find(self, name: str) -> Route | None:
        """Give a route, where there is one."""
        return self._routes.get(name)

    def get(self, name: str) -> Route:
        """Give a route. Raises NotFound."""
        route = self._routes.get(name)
        if route is None:
            message = f"there is no route {name!r}.{near_name(name, self._routes)}"
            raise NotFound("ROUTE_NOT_FOUND", message, hint="signet route list")
        return route

    def names(self) -> Iterator[str]:
        """Give all names, in no order."""
        return iter(self._routes)

    def page(self, after: str, size: int) -> list[Route]:
        """Give at most so many routes whose names come after one, by name."""
        names = heapq.nsmallest(size, (name for name in self._routes if name > after))
        return [self._routes[name] for name in names]

    async def put(self, route: Route) -> None:
        """Keep a route, over an earlier one of its name; in effect when this returns. Raises SignetError."""
        await self._store.put(route)
        self._routes[route.name] = route
        self._changed()

    async def delete(self, name: str) -> None:
        """Forget a route; calls that run go on. Raises NotFound, SignetError."""
        self.get(name)
        await self._store.remove(name)
        self._routes.pop(name, None)
        self._changed()
