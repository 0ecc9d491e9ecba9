"""TokenService: who may call."""

from functools import partial

from control.scopes import RUN
from control.store import tokens as store
from control.store.readers import Readers
from control.tokens import SignIn, Tokens
from signet.kit.auth import current_caller
from signet.kit.errors import invalid
from signet.kit.names import parse
from signet.kit.paging import Page
from signet.kit.times import micros, now_micros, stamp
from signet.v1 import tokens_pb2, tokens_pb2_grpc

_TITLE = 200
_SCOPES = {tokens_pb2.TOKEN_SCOPE_OPERATOR, tokens_pb2.TOKEN_SCOPE_WORKER, tokens_pb2.TOKEN_SCOPE_VIEWER}


class TokenService(tokens_pb2_grpc.TokenServiceServicer):
    """Serves tokens."""

    def __init__(self, readers: Readers, tokens: Tokens, sign_in: SignIn) -> None:
        self._readers = readers
        self._tokens = tokens
        self._sign_in = sign_in

    async def CreateToken(
        self, request: tokens_pb2.CreateTokenRequest, _context: object
    ) -> tokens_pb2.CreateTokenResponse:
        """Make a token."""
        wanted = request.token
        expire_time = micros(wanted.expire_time) if wanted.HasField("expire_time") else None
        problems = []
        if not 0 < len(wanted.title.strip()) <= _TITLE:
            problems.append(("token.title", f"must be 1 to {_TITLE} characters"))
        if wanted.scope not in _SCOPES:
            problems.append(("token.scope", "must be OPERATOR, WORKER or VIEWER"))
        if expire_time is not None and expire_time <= now_micros():
            problems.append(("token.expire_time", "must be in the future"))
        if problems:
            raise invalid(*problems)
        token, secret = await self._tokens.create(wanted.title.strip(), wanted.scope, expire_time)
        return tokens_pb2.CreateTokenResponse(token=_token(token), secret=secret)

    async def ListTokens(
        self, request: tokens_pb2.ListTokensRequest, _context: object
    ) -> tokens_pb2.ListTokensResponse:
        """Give a page of tokens."""
        page = Page.parse(request)
        before = (int(page.position[0]), str(page.position[1])) if page.position else None
        found = await self._readers.read(partial(store.page, before=before, limit=page.size + 1))
        shown = found[: page.size]
        more = page.token(shown[-1].create_time, shown[-1].id) if len(found) > page.size else ""
        return tokens_pb2.ListTokensResponse(tokens=map(_token, shown), next_page_token=more)

    async def RevokeToken(
        self, request: tokens_pb2.RevokeTokenRequest, _context: object
    ) -> tokens_pb2.RevokeTokenResponse:
        """End a token."""
        token = await self._tokens.revoke(parse("tokens", request.name))
        return tokens_pb2.RevokeTokenResponse(token=_token(token))

    async def CheckToken(
        self, request: tokens_pb2.CheckTokenRequest, _context: object
    ) -> tokens_pb2.CheckTokenResponse:
        """Say whose a token is. A run that presents its own has its answer in being let in."""
        caller = current_caller()
        if caller.scope == RUN:
            return tokens_pb2.CheckTokenResponse(token=tokens_pb2.Token(name=caller.name))
        return tokens_pb2.CheckTokenResponse(token=_token(self._tokens.check(request.secret)))

    async def CreateSignInCode(
        self, _request: tokens_pb2.CreateSignInCodeRequest, _context: object
    ) -> tokens_pb2.CreateSignInCodeResponse:
        """Make a sign-in code."""
        code, expire_time = await self._sign_in.create()
        return tokens_pb2.CreateSignInCodeResponse(code=code, expire_time=stamp(expire_time))

    async def ExchangeSignInCode(
        self, request: tokens_pb2.ExchangeSignInCodeRequest, _context: object
    ) -> tokens_pb2.ExchangeSignInCodeResponse:
        """Turn a code into a token."""
        token, secret = await self._sign_in.exchange(request.code)
        return tokens_pb2.ExchangeSignInCodeResponse(token=_token(token), secret=secret)


def _token(token: store.Token) -> tokens_pb2.Token:
    return tokens_pb2.Token(
        name=f"tokens/{token.id}",
        title=token.title,
        scope=token.scope,  # type: ignore[arg-type] # the store keeps the enum's number
        create_time=stamp(token.create_time),
        expire_time=None if token.expire_time is None else stamp(token.expire_time),
        revoke_time=None if token.revoke_time is None else stamp(token.revoke_time),
    )
