"""Whether what a run's token allows still holds: control signs it, and knows when the run is over."""

import time
from dataclasses import dataclass
from functools import partial

from control.scopes import RUN
from control.store import agents, leases
from control.store.database import Connection
from control.store.readers import Readers
from control.tokens import Tokens
from signet.kit.auth import RUN_TOKEN_PREFIX, Caller, RunClaims, verify_run_token
from signet.kit.errors import Unauthenticated


@dataclass(frozen=True)
class Held:
    """Names callers: those of `tokens`, and runs by the tokens that were signed for them with `run_key`."""

    tokens: Tokens
    readers: Readers
    run_key: bytes

    async def authenticate(self, secret: str) -> Caller:
        """Name the caller behind a secret. Raises Unauthenticated.

        A run's token ends with the lease that it was signed for; one of an agent's sandboxes with the agent.
        """
        if not secret.startswith(RUN_TOKEN_PREFIX):
            return await self.tokens.authenticate(secret)
        try:
            claims = verify_run_token(self.run_key, secret, time.time())
        except (ValueError, TypeError, KeyError) as error:
            raise Unauthenticated("TOKEN_UNKNOWN", "the run token is damaged") from error
        if not await self.readers.read(partial(_holds, claims=claims)):
            raise Unauthenticated("TOKEN_REVOKED", f"{claims.run or claims.agent} is over, and its token with it")
        return Caller(claims.run or claims.agent, RUN)


def _holds(connection: Connection, claims: RunClaims) -> bool:
    if claims.run:
        lease = leases.get(connection, claims.run.removeprefix("runs/"))
        return lease is not None and lease.generation == claims.generation
    agent = agents.get(connection, claims.agent.removeprefix("agents/"))
    return agent is not None and not agent.HasField("delete_time")
