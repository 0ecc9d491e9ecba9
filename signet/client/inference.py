"""Inference: models asked directly, without an agent."""

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from signet.client.connection import Connection
from signet.v1 import inference_pb2 as pb
from signet.v1.inference_pb2_grpc import InferenceServiceStub
from signet.v1.usage_pb2 import Usage

if TYPE_CHECKING:
    from signet.v1.inference_pb2_grpc import InferenceServiceAsyncStub

SECONDS = 600.0
"""How long an answer may take, unless a call says otherwise."""


@dataclass(frozen=True)
class Answer:
    """An answer in OpenAI's form, and what it used."""

    body: dict[str, Any]
    usage: Usage


@dataclass(frozen=True)
class Event:
    """One event of a stream in OpenAI's form; the last one has `usage` instead."""

    body: dict[str, Any]
    usage: Usage | None = None


class AsyncInference:
    """The models of a fleet, asked in OpenAI's form: `{"model": "default", "messages": […]}`. At most 16 MiB a request.

    Raises InvalidArgument, NotFound (the model, with near names), PermissionDenied, ResourceExhausted (a budget, or
    too many calls), Unavailable (the provider), DeadlineExceeded. Nothing is sent twice: it may cost money.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "InferenceServiceAsyncStub":
        return InferenceServiceStub(self._connection.channels.router)

    async def complete(self, body: Mapping[str, Any], *, timeout_seconds: float = SECONDS) -> Answer:
        """Answer a chat request whole."""
        request = pb.CompleteRequest(body=_written(body))
        answer = await self._connection.call(
            self._stub.Complete, request, repeat=False, timeout_seconds=timeout_seconds
        )
        return Answer(json.loads(answer.body), answer.usage)

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[Event, None]:
        """Yield an answer's events as they come. Closing the generator, or a cancel, ends the provider's work, too."""
        request = pb.StreamCompleteRequest(body=_written(body))
        async for message in self._connection.stream(self._stub.StreamComplete, request):
            for event in message.events:
                yield Event(json.loads(event))
            if message.HasField("usage"):
                yield Event({}, message.usage)

    async def count(self, body: Mapping[str, Any]) -> pb.CountTokensResponse:
        """Count what a chat request would read; `exact` tells whether its provider did."""
        request = pb.CountTokensRequest(body=_written(body))
        return await self._connection.call(self._stub.CountTokens, request)

    async def embed(self, body: Mapping[str, Any], *, timeout_seconds: float = SECONDS) -> Answer:
        """Answer an embeddings request: `{"model": …, "input": …}`."""
        request = pb.EmbedRequest(body=_written(body))
        answer = await self._connection.call(self._stub.Embed, request, repeat=False, timeout_seconds=timeout_seconds)
        return Answer(json.loads(answer.body), answer.usage)


def _written(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
