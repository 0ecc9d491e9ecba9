"""A served ModelService: control alone, with a router's models but no router."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from signet.v1 import models_pb2, models_pb2_grpc

CHAT = models_pb2.Model(
    name="models/fake/chat",
    provider="providers/fake",
    upstream_model="chat",
    profile=models_pb2.ModelProfile(context_tokens=8192, tool_choice=models_pb2.TOOL_CHOICE_NATIVE, chat=True),
    digest="c" * 64,
    state=models_pb2.MODEL_STATE_READY,
    is_default=True,
)
SMALL = models_pb2.Model(
    name="models/fake/small",
    provider="providers/fake",
    upstream_model="small",
    profile=models_pb2.ModelProfile(
        context_tokens=4096, tool_choice=models_pb2.TOOL_CHOICE_EMBEDDING, demonstration=True, chat=True
    ),
    digest="d" * 64,
    state=models_pb2.MODEL_STATE_READY,
)
EMBEDDER = models_pb2.Model(
    name="models/fake/embedder",
    provider="providers/fake",
    upstream_model="embedder",
    profile=models_pb2.ModelProfile(embeddings=True),
    digest="e" * 64,
    state=models_pb2.MODEL_STATE_READY,
)


class FakeModels(models_pb2_grpc.ModelServiceServicer):
    """Answers for a fixed list of models, and counts how often it was asked."""

    def __init__(self, models: tuple[models_pb2.Model, ...] = (CHAT, SMALL, EMBEDDER)) -> None:
        self.models = models
        self.asked = 0
        self.authorization: set[str] = set()

    async def ListModels(
        self, _request: models_pb2.ListModelsRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> models_pb2.ListModelsResponse:
        """Give all of them."""
        self._note(context)
        return models_pb2.ListModelsResponse(models=self.models)

    async def GetModel(
        self, request: models_pb2.GetModelRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> models_pb2.GetModelResponse:
        """Resolve one; `models/default` is the one marked so."""
        self._note(context)
        for model in self.models:
            if model.name == request.name or (request.name == "models/default" and model.is_default):
                return models_pb2.GetModelResponse(model=model)
        await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no {request.name}")
        raise AssertionError

    async def SetDefaultModel(
        self, _request: models_pb2.SetDefaultModelRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> models_pb2.SetDefaultModelResponse:
        """Refuse: the list is fixed."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "the fake's default is fixed")
        raise AssertionError

    def _note(self, context: grpc.aio.ServicerContext[object, object]) -> None:
        self.asked += 1
        self.authorization |= {str(v) for k, v in context.invocation_metadata() or () if k == "authorization"}


@asynccontextmanager
async def serving(socket: Path, models: FakeModels | None = None) -> AsyncIterator[FakeModels]:
    """Serve on a unix socket."""
    servicer = models or FakeModels()
    server = grpc.aio.server()
    models_pb2_grpc.add_ModelServiceServicer_to_server(servicer, server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield servicer
    finally:
        await server.stop(0)


async def _main(socket: Path) -> None:
    async with serving(socket):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
