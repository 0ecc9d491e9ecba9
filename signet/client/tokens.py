"""Tokens: by which callers are known."""

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify, timestamp, utf8
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.kit.errors import invalid
from signet.v1 import tokens_pb2 as pb
from signet.v1.tokens_pb2_grpc import TokenServiceStub

if TYPE_CHECKING:
    from signet.v1.tokens_pb2_grpc import TokenServiceAsyncStub

SCOPES = ("operator", "worker", "viewer")
"""What a token may do: all that a person may, the work protocol only, only reading."""


class AsyncTokens:
    """The tokens of a fleet. Names may be short or `tokens/{token}`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "TokenServiceAsyncStub":
        return TokenServiceStub(self._connection.channels.control)

    async def create(
        self, title: str, *, scope: str = "operator", expires: datetime | None = None
    ) -> pb.CreateTokenResponse:
        """Make a token of one of SCOPES; its `secret` is in this answer and nowhere later.

        Raises InvalidArgument, PermissionDenied.
        """
        if scope not in SCOPES:
            raise invalid(("scope", f"must be one of {', '.join(SCOPES)}, not {scope!r}"))
        token = pb.Token(
            title=utf8("title", title),
            scope=f"TOKEN_SCOPE_{scope.upper()}",
            expire_time=timestamp(expires),
        )
        return await self._connection.call(self._stub.CreateToken, pb.CreateTokenRequest(token=token), repeat=False)

    def list(self, *, page_size: int = 0, page_token: str = "") -> Pages[pb.ListTokensResponse, pb.Token]:
        """Give all tokens, newest first, without their secrets."""
        request = pb.ListTokensRequest(page_size=page_size, page_token=page_token)
        return Pages(self._connection, lambda: self._stub.ListTokens, request, lambda page: page.tokens)

    async def revoke(self, name: str) -> pb.Token:
        """End a token at once. Raises NotFound."""
        request = pb.RevokeTokenRequest(name=qualify("tokens", name))
        return (await self._connection.call(self._stub.RevokeToken, request)).token

    async def check(self, secret: str) -> pb.Token:
        """Tell whose a token is. Raises Unauthenticated."""
        return (await self._connection.call(self._stub.CheckToken, pb.CheckTokenRequest(secret=secret))).token

    async def create_sign_in_code(self) -> pb.CreateSignInCodeResponse:
        """Make a code that signs a browser in once, within ten minutes."""
        request = pb.CreateSignInCodeRequest()
        return await self._connection.call(self._stub.CreateSignInCode, request, repeat=False)

    async def exchange_sign_in_code(self, code: str) -> pb.ExchangeSignInCodeResponse:
        """Turn a code into a token; needs no token. Raises Unauthenticated, ResourceExhausted."""
        request = pb.ExchangeSignInCodeRequest(code=code)
        return await self._connection.call(self._stub.ExchangeSignInCode, request, repeat=False)
