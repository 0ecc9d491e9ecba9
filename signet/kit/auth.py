"""Who calls: opaque tokens for people, workers and scripts; signed run tokens for what runs in a sandbox's name."""

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextvars import ContextVar
from dataclasses import asdict, dataclass

from signet.kit.errors import Unauthenticated

TOKEN_PREFIX = "sgt_"  # noqa: S105 - it marks a token for scanners, and is none
RUN_TOKEN_PREFIX = "sgr_"  # noqa: S105 - as above


@dataclass(frozen=True)
class Caller:
    """Who makes a call: `tokens/{token}` and a name of `signet.v1.TokenScope` without its prefix."""

    name: str
    scope: str


_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


def current_caller() -> Caller:
    """Give the caller of the RPC that is being served. Raises Unauthenticated outside one."""
    caller = _caller.get()
    if caller is None:
        raise Unauthenticated("TOKEN_MISSING", "this call needs a token", hint="signet sign-in")
    return caller


def set_caller(caller: Caller) -> None:
    """Name the caller of the RPC whose handler runs in this context."""
    _caller.set(caller)


def new_secret() -> str:
    """Make an opaque token of 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Give what is stored of a token. A plain sha256 is enough for 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True)
class RunClaims:
    """What a run token allows: to ask these models in this run's name until a time.

    `models` are names without `models/`; `expires` is Unix seconds; `secrets`, names without `secrets/`, may be lent;
    `apis`, names without `apis/`, may be called. `user` is who asked for the run, `tokens/{token}`. `issued`, Unix
    seconds, is when control signed it, which is asked later whether it still holds; 0: it holds until it expires.
    """

    run: str
    agent: str
    session: str
    models: tuple[str, ...]
    generation: int
    expires: int
    secrets: tuple[str, ...] = ()
    apis: tuple[str, ...] = ()
    user: str = ""
    issued: int = 0


def sign_run_token(key: bytes, claims: RunClaims) -> str:
    """Make a run token: the claims and their HMAC-SHA256 under a key of control's and the router's."""
    body = urlsafe_b64encode(json.dumps(asdict(claims), separators=(",", ":")).encode())
    return f"{RUN_TOKEN_PREFIX}{body.decode()}.{_mac(key, body)}"


def verify_run_token(key: bytes, token: str, now: float) -> RunClaims:
    """Give the claims of a run token. Raises Unauthenticated for one that is forged, damaged or over."""
    body, _, mac = token.removeprefix(RUN_TOKEN_PREFIX).partition(".")
    if not token.startswith(RUN_TOKEN_PREFIX) or not hmac.compare_digest(
        mac.encode(), _mac(key, body.encode()).encode()
    ):
        raise Unauthenticated("TOKEN_UNKNOWN", "the run token is not one of ours")
    fields = json.loads(urlsafe_b64decode(body))
    claims = RunClaims(**fields | {name: tuple(fields.get(name, ())) for name in ("models", "secrets", "apis")})
    if claims.expires <= now:
        raise Unauthenticated("TOKEN_EXPIRED", f"the token of {claims.run} is over")
    return claims


def _mac(key: bytes, body: bytes) -> str:
    return hmac.new(key, body, hashlib.sha256).hexdigest()
