"""What every page is given: options, templates, the client, the cookie, and what ends the process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.requests import Request

from signet.client import AsyncSignet
from web.identity import Cookie
from web.options import WebOptions
from web.views import Views


class Streams:
    """Counts the open event streams."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open = 0

    @property
    def full(self) -> bool:
        """Whether no further one may open."""
        return self._open >= self._limit

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


@dataclass(frozen=True)
class Site:
    """The web process, as its pages see it. `client` has no token of its own: every call is made as the visitor."""

    options: WebOptions
    client: AsyncSignet
    cookie: Cookie
    views: Views
    streams: Streams
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def visitor(self, request: Request) -> AsyncSignet:
        """Give the client of whoever looks at the page. Raises Unauthenticated."""
        return self.client.acting_as(self.cookie.token(request))
