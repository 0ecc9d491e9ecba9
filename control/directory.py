"""The models, as the router knows them. Its answers are used again for a few seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self, TypeVar

import grpc

from signet.kit import dial
from signet.kit.errors import InvalidArgument, NotFound, SignetError, Unavailable, from_rpc
from signet.v1 import models_pb2, models_pb2_grpc

T = TypeVar("T")

_PAGE = 1000
_REDIAL_SECONDS = 0.05  # a router that was restarted is there again, and only the connection was lost


@dataclass(frozen=True)
class _Known:
    until: float
    model: models_pb2.Model


class Directory:
    """Asks the router's ModelService. The channel is dialled at first use, and `async with` closes it."""

    def __init__(self, target: str, token: Callable[[], str], *, timeout_seconds: float, cache_seconds: float) -> None:
        self._target = target
        self._token = token
        self._timeout = timeout_seconds
        self._cache = cache_seconds
        self._channel: grpc.aio.Channel | None = None
        self._known: dict[str, _Known] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._hang_up()

    async def model(self, name: str) -> models_pb2.Model:
        """Resolve a model, `models/default` too. Raises NotFound, and Unavailable (ROUTER_UNAVAILABLE)."""
        if known := self._recall(name):
            return known
        request = models_pb2.GetModelRequest(name=name)
        answer = await self._ask(lambda stub: stub.GetModel(request, timeout=self._timeout))
        return self._remember(name, answer.model)

    async def embedder(self, provider: str) -> str:
        """Name a model that embeds, of this provider rather than of another; empty where there is none."""
        key = f"embedder of {provider}"
        if known := self._recall(key):
            return known.name
        request = models_pb2.ListModelsRequest(page_size=_PAGE)
        answer = await self._ask(lambda stub: stub.ListModels(request, timeout=self._timeout))
        able = [model for model in answer.models if model.profile.embeddings]
        able.sort(key=lambda model: (model.state == models_pb2.MODEL_STATE_UNAVAILABLE, model.provider != provider))
        return self._remember(key, able[0] if able else models_pb2.Model()).name

    def _recall(self, key: str) -> models_pb2.Model | None:
        known = self._known.get(key)
        return known.model if known and known.until > time.monotonic() else None

    def _remember(self, key: str, model: models_pb2.Model) -> models_pb2.Model:
        now = time.monotonic()
        self._known = {name: known for name, known in self._known.items() if known.until > now}
        self._known[key] = _Known(now + self._cache, model)
        return model

    async def _ask(self, call: "Callable[[models_pb2_grpc.ModelServiceAsyncStub], Awaitable[T]]") -> T:
        try:
            return await self._call(call)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise _explained(error) from error
        await asyncio.sleep(_REDIAL_SECONDS)
        try:
            return await self._call(call)
        except grpc.aio.AioRpcError as error:
            raise _explained(error) from error

    async def _call(self, call: "Callable[[models_pb2_grpc.ModelServiceAsyncStub], Awaitable[T]]") -> T:
        """Ask over the channel that is open. One that failed is closed: gRPC would wait longer and longer to dial."""
        if self._channel is None:
            self._channel = dial.channel(self._target, self._token())
        try:
            return await call(models_pb2_grpc.ModelServiceStub(self._channel))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                await self._hang_up()
            raise

    async def _hang_up(self) -> None:
        channel, self._channel = self._channel, None
        if channel:
            await channel.close()


def _explained(error: grpc.aio.AioRpcError) -> SignetError:
    known = from_rpc(error)
    if isinstance(known, NotFound | InvalidArgument):
        return known
    return Unavailable(
        "ROUTER_UNAVAILABLE",
        f"the router does not answer ({error.code().name}), so the model cannot be resolved",
        hint="signet status",
        retry_after_seconds=1,
    )
