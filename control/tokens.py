"""Who may call: opaque tokens, known by their hash; local ones from the first start; codes that sign browsers in."""

import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from control.store import tokens
from control.store.readers import Readers
from control.store.tokens import Token
from control.store.writer import Transaction, Writer
from signet.kit.auth import Caller, hash_secret, new_secret
from signet.kit.errors import NotFound, ResourceExhausted, Unauthenticated
from signet.kit.home import write_private
from signet.kit.names import uuid7
from signet.kit.times import now_micros
from signet.v1 import tokens_pb2

MAX_TOKENS = 10_000
"""Tokens that are kept; one more is refused."""

MAX_CODES = 100
"""Sign-in codes that wait to be used; one more is refused."""

CODE_SECONDS = 600
"""How long a sign-in code can be used."""

BROWSER_SECONDS = 30 * 24 * 3600
"""How long a browser stays signed in."""

_MICROS = 1_000_000
_FORGOTTEN_MICROS = 90 * 24 * 3600 * _MICROS  # a token that ended so long ago is no longer listed
_LOCAL = (
    ("operator", tokens_pb2.TOKEN_SCOPE_OPERATOR, "The operator on this machine"),
    ("worker", tokens_pb2.TOKEN_SCOPE_WORKER, "The worker on this machine"),
)


class Tokens:
    """Knows every token. They lie in memory too, so that a call costs no read, and a revocation is at once.

    `revoked` is called after each revocation.
    """

    def __init__(
        self, readers: Readers, writer: Writer, folder: Path, revoked: Callable[[], None] = lambda: None
    ) -> None:
        self._readers = readers
        self._revoked = revoked
        self._writer = writer
        self._folder = folder
        self._by_hash: dict[str, Token] = {}

    async def open(self) -> None:
        """Read the tokens, and see that the local ones exist and their secrets lie in their files."""
        for token in await self._readers.read(tokens.every):
            self._by_hash[token.hash] = token
        for ident, scope, title in _LOCAL:
            await self._ensure(ident, scope, title)

    def local_secret(self, ident: str = "operator") -> str:
        """Give the secret of a local token."""
        return (self._folder / ident).read_text().strip()

    async def authenticate(self, secret: str) -> Caller:
        """Name the caller behind a secret. Raises Unauthenticated."""
        token = self.check(secret)
        return Caller(f"tokens/{token.id}", tokens_pb2.TokenScope.Name(token.scope).removeprefix("TOKEN_SCOPE_"))

    def check(self, secret: str) -> Token:
        """Give the token of a secret. Raises Unauthenticated: TOKEN_UNKNOWN, TOKEN_EXPIRED, TOKEN_REVOKED."""
        token = self._by_hash.get(hash_secret(secret))
        if token is None:
            raise Unauthenticated("TOKEN_UNKNOWN", "the token is not one of this fleet's", hint="signet token create")
        if token.revoke_time is not None:
            raise Unauthenticated("TOKEN_REVOKED", f"tokens/{token.id} was revoked", hint="signet token create")
        if token.expire_time is not None and token.expire_time <= now_micros():
            raise Unauthenticated("TOKEN_EXPIRED", f"tokens/{token.id} is over", hint="signet token create")
        return token

    async def create(self, title: str, scope: int, expire_time: int | None) -> tuple[Token, str]:
        """Make a token and its secret. Raises ResourceExhausted when there are too many."""
        secret = new_secret()
        token = Token(uuid7(), title, scope, hash_secret(secret), now_micros(), expire_time, None)
        await self._writer.write(partial(self._create, token))
        return token, secret

    async def revoke(self, ident: str) -> Token:
        """End a token at once. Raises NotFound. One that was revoked before stays as it is."""
        return await self._writer.write(partial(self._revoke, ident))

    def _create(self, token: Token, transaction: Transaction) -> None:
        connection = transaction.connection
        forgotten = transaction.now - _FORGOTTEN_MICROS
        tokens.delete_over(connection, forgotten)
        transaction.after(partial(self._forget, forgotten))
        if tokens.count(connection) >= MAX_TOKENS:
            raise ResourceExhausted(
                "LIMIT_REACHED", f"there are {MAX_TOKENS} tokens already", hint="signet token revoke"
            )
        self._keep(token, transaction)

    def _keep(self, token: Token, transaction: Transaction) -> None:
        tokens.keep(transaction.connection, token)
        transaction.after(partial(self._know, token))

    def _know(self, token: Token) -> None:
        self._by_hash = {digest: known for digest, known in self._by_hash.items() if known.id != token.id}
        self._by_hash[token.hash] = token

    def _forget(self, before: int) -> None:
        self._by_hash = {
            digest: known
            for digest, known in self._by_hash.items()
            if min(known.expire_time or before, known.revoke_time or before) >= before
        }

    def _revoke(self, ident: str, transaction: Transaction) -> Token:
        token = tokens.get(transaction.connection, ident)
        if token is None:
            raise NotFound("TOKEN_NOT_FOUND", f"there is no tokens/{ident}", hint="signet token list")
        if token.revoke_time is not None:
            return token
        ended = replace(token, revoke_time=transaction.now)
        self._keep(ended, transaction)
        transaction.after(self._revoked)
        return ended

    async def _ensure(self, ident: str, scope: int, title: str) -> None:
        """Keep a local token whose file fits it; otherwise make a new secret. So revoke and restart changes it."""
        path = self._folder / ident
        known = self._by_hash.get(hash_secret(self.local_secret(ident))) if path.exists() else None
        if known and known.id == ident and known.revoke_time is None:
            return
        secret = new_secret()
        write_private(path, f"{secret}\n".encode())
        token = Token(ident, title, scope, hash_secret(secret), now_micros(), None, None)
        await self._writer.write(partial(self._keep, token))


@dataclass(frozen=True)
class SignIn:
    """Codes that sign a browser in: each once, within ten minutes. Wrong ones are counted, and slow everybody down."""

    writer: Writer
    tokens: Tokens
    wrong: deque[float]
    """When the latest wrong codes came, by the monotonic clock; its length is how many a minute are answered."""

    async def create(self) -> tuple[str, int]:
        """Make a code; gives it and when it ends. Raises ResourceExhausted when too many wait."""
        code = secrets.token_urlsafe(24)
        return code, await self.writer.write(partial(_keep_code, hash_secret(code)))

    async def exchange(self, code: str) -> tuple[Token, str]:
        """Turn a code into a token. Raises Unauthenticated (CODE_UNKNOWN), ResourceExhausted after many wrong ones."""
        now = time.monotonic()
        if len(self.wrong) == self.wrong.maxlen and now - self.wrong[0] < 60:  # noqa: PLR2004 - a minute
            raise ResourceExhausted(
                "LIMIT_REACHED",
                "too many wrong sign-in codes; no code is looked at for a while",
                retry_after_seconds=60 - (now - self.wrong[0]),
            )
        if not await self.writer.write(partial(_take_code, hash_secret(code))):
            self.wrong.append(now)
            raise Unauthenticated("CODE_UNKNOWN", "the sign-in code is wrong, used or expired", hint="signet sign-in")
        expire_time = now_micros() + BROWSER_SECONDS * _MICROS
        return await self.tokens.create("A browser", tokens_pb2.TOKEN_SCOPE_OPERATOR, expire_time)


def _keep_code(digest: str, transaction: Transaction) -> int:
    if tokens.count_codes(transaction.connection, transaction.now) >= MAX_CODES:
        raise ResourceExhausted("LIMIT_REACHED", f"{MAX_CODES} sign-in codes wait to be used", retry_after_seconds=60)
    expire_time = transaction.now + CODE_SECONDS * _MICROS
    tokens.keep_code(transaction.connection, digest, expire_time, transaction.now)
    return expire_time


def _take_code(digest: str, transaction: Transaction) -> bool:
    return tokens.take_code(transaction.connection, digest, transaction.now)
