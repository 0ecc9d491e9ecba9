"""The application: its routes, its layers, its error pages, as data. Only here are things constructed."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from signet.client import AsyncSignet, SignetError
from signet.kit import deadlines
from web.events import events
from web.guards import Guards
from web.identity import Cookie
from web.options import WebOptions
from web.pages import approvals, catalog, chat, faults, health, policies, runs, sandboxes, sign_in
from web.site import Site, Streams
from web.views import STATIC, WAITING, Views

Handler = Callable[[Site, Request], Awaitable[Response]]

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/", chat.home),
    ("POST", "/chat", chat.begin),
    ("GET", "/sessions", chat.sessions),
    ("GET", "/sessions/{session}", chat.show),
    ("POST", "/sessions/{session}/runs", chat.say),
    ("POST", "/sessions/{session}/title", chat.rename),
    ("POST", "/sessions/{session}/delete", chat.delete),
    ("GET", "/runs", runs.index),
    ("GET", "/runs/{run}", runs.show),
    ("POST", "/runs/{run}/cancel", runs.cancel),
    ("GET", "/blobs/{digest}", runs.blob),
    ("GET", "/agents", catalog.agents),
    ("GET", "/agents/{agent}", catalog.agent),
    ("GET", "/souls", catalog.souls),
    ("GET", "/souls/{soul}", catalog.soul),
    ("GET", "/models", catalog.models),
    ("GET", "/workers", catalog.workers),
    ("GET", "/approvals", approvals.index),
    ("POST", "/approvals/{approval}", approvals.answer),
    ("POST", "/grants/{grant}/revoke", approvals.revoke),
    ("GET", "/policies", policies.index),
    ("GET", "/policies/{policy}", policies.show),
    ("GET", "/policies/{policy}/diff", policies.diff),
    ("GET", "/sandboxes", sandboxes.index),
    ("GET", "/sandboxes/{sandbox}", sandboxes.show),
    ("POST", "/sandboxes/{sandbox}/stop", sandboxes.stop),
    ("GET", "/events", events),
    ("GET", "/sign-in", sign_in.show),
    ("POST", "/sign-in", sign_in.exchange),
    ("POST", "/sign-out", sign_in.leave),
    ("GET", "/healthz", health.healthz),
    ("GET", "/readyz", health.readyz),
)

_BARE = frozenset({events, sign_in.show, runs.blob, health.healthz, health.readyz})
"""What has no navigation, and so no number in it."""


def build(options: WebOptions, client: AsyncSignet, port: int) -> tuple[ASGIApp, Site]:
    """Put the application together. `port` is the one it is served on: the cookie is named by it."""
    site = Site(options, client, Cookie(port, options.secure), Views(), Streams(options.streams))
    routes: list[BaseRoute] = [_route(site, *one) for one in ROUTES]
    routes += [
        Route("/favicon.ico", lambda _request: RedirectResponse(f"{site.views.static}/img/favicon.svg")),
        Mount(site.views.static, _Static(directory=STATIC)),
    ]

    def shown(page: Callable[[Site, Request, Exception], Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        async def handler(request: Request, error: Exception) -> Response:
            return await page(site, request, error)

        return handler

    app = Starlette(
        routes=routes,
        exception_handlers={
            SignetError: shown(faults.signet),
            HTTPException: shown(faults.http),
            Exception: shown(faults.fault),
        },
    )
    return Guards(app, options.allowed_hosts), site  # outermost, so that its headers are on every answer


def _route(site: Site, method: str, path: str, handler: Handler) -> Route:
    async def endpoint(request: Request) -> Response:
        if handler is not events:  # a stream has no end, what it asks meanwhile has the client's
            deadlines.enter(site.options.seconds)
        if method == "GET" and handler not in _BARE:
            WAITING.set(await approvals.waiting(site, request))
        return await handler(site, request)

    return Route(path, endpoint, methods=[method])


class _Static(StaticFiles):
    """Our own files under a path that names their content: kept by browsers for ever."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def kept(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:  # noqa: PLR2004 - OK
                headers = message["headers"]
                headers.append((b"cache-control", b"public, max-age=31536000, immutable"))  # type: ignore[attr-defined] # a list
            await send(message)

        await super().__call__(scope, receive, kept)  # type: ignore[arg-type] # a message is a mutable mapping
