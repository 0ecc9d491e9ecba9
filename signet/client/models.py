"""Models: what the router can reach."""

from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.v1 import models_pb2 as pb
from signet.v1.models_pb2_grpc import ModelServiceStub

if TYPE_CHECKING:
    from signet.v1.models_pb2_grpc import ModelServiceAsyncStub


class AsyncModels:
    """The models of a fleet. Names may be short (`embedded/smollm2`, `default`) or full (`models/default`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "ModelServiceAsyncStub":
        return ModelServiceStub(self._connection.channels.router)

    async def get(self, name: str = "default") -> pb.Model:
        """Give the model behind a name. Raises NotFound, with near names."""
        request = pb.GetModelRequest(name=qualify("models", name))
        return (await self._connection.call(self._stub.GetModel, request)).model

    def list(self, *, page_size: int = 0, page_token: str = "") -> Pages[pb.ListModelsResponse, pb.Model]:
        """Give all models by name."""
        request = pb.ListModelsRequest(page_size=page_size, page_token=page_token)
        return Pages(self._connection, lambda: self._stub.ListModels, request, lambda page: page.models)

    async def use(self, name: str) -> pb.Model:
        """Choose what `models/default` stands for. Raises NotFound, InvalidArgument (not a chat model)."""
        request = pb.SetDefaultModelRequest(name=qualify("models", name))
        return (await self._connection.call(self._stub.SetDefaultModel, request)).model
