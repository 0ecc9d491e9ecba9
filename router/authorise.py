"""Who asks: a run by its signed token, or a person or script by a token that control knows."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from router.refusal import Refusal
from signet.kit.auth import RUN_TOKEN_PREFIX, Caller, hash_secret, verify_run_token
from signet.kit.errors import PermissionDenied, SignetError, Unauthenticated
from signet.kit.names import full

CACHE_SECONDS = 5.0
"""How long a token that was revoked may still be taken."""

PATIENCE_SECONDS = 60.0
"""How long a run's token that was good is taken while control cannot be asked: a restart of control ends no run."""

_CACHE_ENTRIES = 1024
_SURE_SECONDS = 1.0  # beyond what Callers remembers
_SCOPES = {"OPERATOR", "VIEWER"}


@dataclass(frozen=True)
class Identity:
    """In whose name a call is made: resource names, empty where there is none. `models` None means every model.

    `secrets`, names without `secrets/`, may be borrowed: by what a run token names, and by nobody else. `apis`, names
    without `apis/`, are those that an agent's policy lets it call. `user` is who asked for the run: `tokens/{token}`.
    """

    caller: str
    run: str = ""
    agent: str = ""
    session: str = ""
    models: frozenset[str] | None = None
    secrets: frozenset[str] = frozenset()
    apis: frozenset[str] = frozenset()
    user: str = ""

    def may(self, model: str) -> bool:
        """Whether it may ask this model, a public name without `models/`."""
        return self.models is None or model in self.models


class Callers:
    """Knows operators' tokens by asking control, and remembers what it said for a few seconds."""

    def __init__(self, check: Callable[[str], Awaitable[Caller]], clock: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._clock = clock
        self._known: dict[str, tuple[float, Caller]] = {}
        self._asking: dict[str, asyncio.Task[Caller]] = {}

    async def authenticate(self, secret: str) -> Caller:
        """Give the caller. Raises SignetError, also when control cannot be asked: no answer is a no."""
        digest = hash_secret(secret)
        entry = self._known.get(digest)
        if entry and entry[0] > self._clock():
            return entry[1]
        task = self._asking.get(digest)
        if task is None:  # many calls at once with one token are one question
            task = asyncio.create_task(self._ask(digest, secret))
            self._asking[digest] = task
            task.add_done_callback(lambda done: self._answered(digest, done))
        return await asyncio.shield(task)

    def _answered(self, digest: str, task: asyncio.Task[Caller]) -> None:
        self._asking.pop(digest, None)
        if not task.cancelled():
            task.exception()  # seen, even if everybody who asked has left

    async def _ask(self, digest: str, secret: str) -> Caller:
        self._known.pop(digest, None)
        asked = self._clock()
        caller = await self._check(secret)
        while len(self._known) >= _CACHE_ENTRIES:
            self._known.pop(next(iter(self._known)))
        self._known[digest] = (asked + CACHE_SECONDS, caller)
        return caller


@dataclass(slots=True)
class _Run:
    """A run token that was verified: when it is over, and until when control need not be asked whether it holds."""

    expires: float
    who: Identity
    sure: float
    sure_once: float


class Authoriser:
    """Decides whose a call at the door is."""

    def __init__(self, run_key: bytes, callers: Callers, clock: Callable[[], float] = time.time) -> None:
        self._run_key = run_key
        self._callers = callers
        self._clock = clock
        self._runs: dict[str, _Run] = {}

    async def identify(self, authorization: str, *, reading: bool = False) -> Identity:
        """Read an Authorization header; `reading` lets viewers through. Raises Refusal."""
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            raise Refusal(
                401, "unauthorized", "a token is needed: send `Authorization: Bearer …` (signet token create)"
            )
        if secret.startswith(RUN_TOKEN_PREFIX):
            return await self._run(secret)
        try:
            caller = await self._callers.authenticate(secret)
        except Unauthenticated as error:
            raise Refusal(401, "unauthorized", error.message) from error
        except PermissionDenied as error:
            raise Refusal(403, "unauthorized", error.message) from error
        except SignetError as error:
            message = "control cannot be asked whose this token is; see `signet status`"
            raise Refusal(503, "control_unavailable", message, retry_after_seconds=2) from error
        if caller.scope not in _SCOPES or (caller.scope == "VIEWER" and not reading):
            raise Refusal(403, "unauthorized", f"a token of scope {caller.scope} may not ask models")
        return Identity(caller.name)

    async def _run(self, secret: str) -> Identity:
        """Read a run token. Its signature is checked once, its end at every call: a run makes many calls."""
        digest = hash_secret(secret)
        known = self._runs.get(digest)
        now = self._clock()
        if known is None or known.expires <= now:
            known = self._verified(secret)
            while len(self._runs) >= _CACHE_ENTRIES:
                self._runs.pop(next(iter(self._runs)))
            self._runs[digest] = known
        if known.sure <= now:
            await self._see_that_it_holds(secret, known)
        return known.who

    async def _see_that_it_holds(self, secret: str, known: _Run) -> None:
        """Ask control whether a run still goes on; its token may be good for an hour more. Raises Refusal."""
        try:
            await self._callers.authenticate(secret)
        except (Unauthenticated, PermissionDenied) as error:
            self._runs.pop(hash_secret(secret), None)
            raise Refusal(401, "unauthorized", error.message) from error
        except SignetError as error:
            now = self._clock()
            if now > known.sure_once + PATIENCE_SECONDS:
                message = "control cannot be asked whether this run goes on; see `signet status`"
                raise Refusal(503, "control_unavailable", message, retry_after_seconds=2) from error
            known.sure = now + _SURE_SECONDS
            return
        known.sure_once = self._clock()
        known.sure = known.sure_once + _SURE_SECONDS

    def _verified(self, secret: str) -> _Run:
        try:
            claims = verify_run_token(self._run_key, secret, self._clock())
        except Unauthenticated as error:
            raise Refusal(401, "unauthorized", error.message) from error
        except (ValueError, TypeError, KeyError) as error:
            raise Refusal(401, "unauthorized", "the run token is damaged") from error
        run = full("runs", claims.run) if claims.run else ""
        agent = full("agents", claims.agent) if claims.agent else ""
        who = Identity(
            caller=run or agent,
            run=run,
            agent=agent,
            session=full("sessions", claims.session) if claims.session else "",
            models=frozenset(model.removeprefix("models/") for model in claims.models),
            secrets=frozenset(secret.removeprefix("secrets/") for secret in claims.secrets),
            apis=frozenset(api.removeprefix("apis/") for api in claims.apis),
            user=claims.user,
        )
        sure = claims.issued + CACHE_SECONDS if claims.issued else float(claims.expires)
        return _Run(claims.expires, who, sure, sure)


def permit(method: str, caller: Caller) -> None:
    """Let operators use every method and viewers those that read. Raises PermissionDenied."""
    if caller.scope == "OPERATOR":
        return
    verb = method.rpartition("/")[2]
    if caller.scope == "VIEWER" and verb.startswith(("Get", "List")):
        return
    raise PermissionDenied("SCOPE_MISSING", f"a token of scope {caller.scope} may not call {verb}", hint="signet token")
