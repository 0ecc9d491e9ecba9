"""Lists that page by themselves."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import Generic, Protocol, TypeVar

import grpc

from signet.client.connection import Connection


class ListRequest(Protocol):
    """What every List request has."""

    page_token: str


class ListResponse(Protocol):
    """What every List response has."""

    next_page_token: str


I = TypeVar("I")  # noqa: E741 - an item
Q = TypeVar("Q", bound=ListRequest)
A = TypeVar("A", bound=ListResponse)


class Pages(Generic[A, I]):
    """A list: `async for` brings every row over all pages; `page()` brings a single page as the service gave it."""

    def __init__(
        self,
        connection: Connection,
        method: Callable[[], grpc.aio.UnaryUnaryMultiCallable[Q, A]],
        request: Q,
        rows: Callable[[A], Iterable[I]],
    ) -> None:
        self._first = request.page_token
        self._rows = rows

        def fetch(token: str) -> Awaitable[A]:
            request.page_token = token
            return connection.call(method(), request)

        self._fetch = fetch

    async def page(self) -> A:
        """Ask for one page: its rows, `next_page_token` (empty on the last), and what else the service says."""
        return await self._fetch(self._first)

    def __aiter__(self) -> AsyncIterator[I]:
        return self.rows()

    async def rows(self) -> AsyncGenerator[I, None]:
        """Yield every row over all pages."""
        token = self._first
        while True:
            answer = await self._fetch(token)
            for row in self._rows(answer):
                yield row
            token = answer.next_page_token
            if not token:
                return
