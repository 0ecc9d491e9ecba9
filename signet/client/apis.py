"""APIs: HTTP services behind the router, which adds their credentials."""

import asyncio
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify, qualify_optional, utf8
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.v1 import apis_pb2 as pb
from signet.v1.apis_pb2_grpc import ApiServiceStub

if TYPE_CHECKING:
    from signet.client.door import Answer
    from signet.v1.apis_pb2_grpc import ApiServiceAsyncStub


class AsyncApis:
    """The APIs of a fleet. Names may be short (`search`) or full (`apis/search`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "ApiServiceAsyncStub":
        return ApiServiceStub(self._connection.channels.router)

    async def put(
        self,
        name: str,
        base_url: str,
        *,
        secret: str = "",
        placement: str = "",
        allow: Iterable[str] = (),
        agents: Iterable[str] = (),
        call_price_microusd: int | None = None,
        calls_per_minute: int = 0,
        answer_bytes: int = 0,
        description: str = "",
    ) -> pb.Api:
        """Store an API, over an earlier one of the name.

        `placement` says where the value of `secret` goes: `header:NAME`, `header:NAME:PREFIX` or `query:NAME`. `allow`:
        `METHOD /glob` each, over paths below `base_url`; none for every GET. `agents` may call it besides those whose
        policy names it. The price of a call is None where it is unknown. `calls_per_minute` 1-100000 of each agent, 0
        for 60; `answer_bytes` 1 KiB to 64 MiB, 0 for 4 MiB. Raises InvalidArgument, NotFound (its secret),
        ResourceExhausted.
        """
        api = pb.Api(
            name=qualify("apis", name),
            base_url=utf8("base_url", base_url),
            secret=qualify_optional("secrets", secret),
            placement=utf8("placement", placement),
            allow=[utf8("allow", rule) for rule in allow],
            agents=[qualify("agents", agent) for agent in agents],
            call_price_microusd=call_price_microusd,
            calls_per_minute=calls_per_minute,
            answer_bytes=answer_bytes,
            description=utf8("description", description),
        )
        return (await self._connection.call(self._stub.PutApi, pb.PutApiRequest(api=api))).api

    async def get(self, name: str) -> pb.Api:
        """Give one API. Raises NotFound."""
        return (await self._connection.call(self._stub.GetApi, pb.GetApiRequest(name=qualify("apis", name)))).api

    def list(self, *, page_size: int = 0, page_token: str = "") -> Pages[pb.ListApisResponse, pb.Api]:
        """Give all APIs by name."""
        request = pb.ListApisRequest(page_size=page_size, page_token=page_token)
        return Pages(self._connection, lambda: self._stub.ListApis, request, lambda page: page.apis)

    async def delete(self, name: str) -> None:
        """Remove an API; its secret stays. Raises NotFound."""
        request = pb.DeleteApiRequest(name=qualify("apis", name))
        await self._connection.call(self._stub.DeleteApi, request, repeat=False)

    async def call(
        self,
        name: str,
        path: str = "/",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> "Answer":
        """Call an API through the router, which adds its credential; the whole answer, at most 64 MiB.

        `path` below the API's address, %-encoded, with its query. An answer of any status is one; what the router
        itself refuses has a JSON body with `error.code`. Raises InvalidArgument for what no request can say,
        FailedPrecondition for a fleet elsewhere, Unavailable where nobody answers, DeadlineExceeded.
        """
        from signet.client.door import Door

        target = f"/{qualify('apis', name)}{path if path.startswith('/') else f'/{path}'}"
        door = Door(self._connection.fleet, self._connection.timeout_seconds)
        return await asyncio.to_thread(door.ask, method, target, dict(headers or {}), body)
