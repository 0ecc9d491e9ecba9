"""A served TokenService that knows the tokens it was given, as control does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from grpc_status import rpc_status

from signet.kit.errors import Unauthenticated, to_status
from signet.v1 import tokens_pb2 as pb


@dataclass
class FakeTokens:
    """`known`: a secret's scope, OPERATOR, VIEWER or WORKER. `asked` counts the questions."""

    known: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    async def check(self, request: pb.CheckTokenRequest, context: Any) -> pb.CheckTokenResponse:
        """Say whose a token is."""
        self.asked += 1
        scope = self.known.get(request.secret)
        if scope is None:
            error = Unauthenticated("TOKEN_UNKNOWN", "the token is not known")
            await context.abort_with_status(rpc_status.to_status(to_status(error)))
        return pb.CheckTokenResponse(token=pb.Token(name="tokens/t1", scope=f"TOKEN_SCOPE_{scope}"))


@asynccontextmanager
async def serving(path: Path, tokens: FakeTokens) -> AsyncIterator[None]:
    """Serve CheckToken on a unix socket."""
    method = grpc.unary_unary_rpc_method_handler(
        tokens.check,
        request_deserializer=pb.CheckTokenRequest.FromString,
        response_serializer=pb.CheckTokenResponse.SerializeToString,
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("signet.v1.TokenService", {"CheckToken": method}),)
    )
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)
