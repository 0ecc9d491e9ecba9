"""What the router asks of control: whose a token is."""

from collections.abc import Awaitable, Callable

import grpc

from signet.kit.auth import Caller
from signet.kit.errors import Unauthenticated, from_rpc
from signet.v1 import tokens_pb2 as pb
from signet.v1.tokens_pb2_grpc import TokenServiceStub

_SECONDS = 3.0


def asking(channel: grpc.aio.Channel) -> Callable[[str], Awaitable[Caller]]:
    """Give the question. It is asked in the name of the token itself, so the router needs none of its own."""
    stub = TokenServiceStub(channel)

    async def check(secret: str) -> Caller:
        if not secret.isascii() or not secret.isprintable():
            raise Unauthenticated("TOKEN_UNKNOWN", "the token is not one of ours")
        metadata = (("authorization", f"Bearer {secret}"),)
        try:
            answer = await stub.CheckToken(pb.CheckTokenRequest(secret=secret), metadata=metadata, timeout=_SECONDS)
        except grpc.RpcError as error:
            raise from_rpc(error) from None  # its text may hold what was sent
        scope = pb.TokenScope.Name(answer.token.scope).removeprefix("TOKEN_SCOPE_")
        return Caller(answer.token.name, scope)

    return check
