"""The secrets of deleted agents and of users whose token is over: they go with them, though the router has them."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import grpc

from control.bells import AGENTS, TOKENS, Bells
from control.store import agents, tokens
from control.store.readers import Readers
from signet.kit import dial
from signet.kit.errors import NotFound, SignetError, from_rpc
from signet.kit.log import Log
from signet.kit.times import now_micros
from signet.v1 import secrets_pb2, secrets_pb2_grpc

_PAGE = 1000


@dataclass(frozen=True)
class Orphans:
    """Removes at the router what deleted agents own, and who held tokens that are over.

    `router` is what is dialled, `token` an operator's secret. An agent that is brought back comes without its secrets.
    """

    readers: Readers
    bells: Bells
    router: str
    token: Callable[[], str]
    log: Log
    call_seconds: float
    again_seconds: float = 30.0
    """How long after a router that did not answer it is asked again."""
    look_seconds: float = 600.0
    """How often it looks by itself, for a secret that was given to an agent that is deleted already."""

    async def run(self) -> None:
        """Look at once, at every end of an agent or token, and now and then; runs until cancelled, or control ends."""
        with self.bells.listen(AGENTS, TOKENS) as news:
            while not self.bells.closing:
                news.clear()
                wait = self.look_seconds
                try:
                    await self.remove()
                except SignetError as error:
                    self.log.warning("orphans_kept", reason=error.reason)
                    wait = self.again_seconds
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await news.wait()

    async def remove(self) -> int:
        """Remove what there is now; gives how many that were. Raises SignetError."""
        async with dial.channel(self.router, self.token()) as channel:
            stub = secrets_pb2_grpc.SecretServiceStub(channel)
            try:
                orphans = await self._orphaned(await self._owned(stub))
                for secret in orphans:
                    await self._forget(stub, secret)
            except grpc.aio.AioRpcError as error:
                raise from_rpc(error) from error
        if orphans:
            self.log.info("orphans_removed", secrets=len(orphans))
        return len(orphans)

    async def _owned(self, stub: "secrets_pb2_grpc.SecretServiceAsyncStub") -> list[secrets_pb2.Secret]:
        """Give those that are somebody's and are stored: what the router is given at its start is not removed."""
        found: list[secrets_pb2.Secret] = []
        token = ""
        while True:
            request = secrets_pb2.ListSecretsRequest(page_size=_PAGE, page_token=token)
            answer = await stub.ListSecrets(request, timeout=self.call_seconds)
            stored = [one for one in answer.secrets if one.origin == secrets_pb2.SECRET_ORIGIN_STORED]
            found += [secret for secret in stored if secret.owner]
            token = answer.next_page_token
            if not token:
                return found

    async def _orphaned(self, owned: list[secrets_pb2.Secret]) -> list[secrets_pb2.Secret]:
        """Give those whose owner is over. Owners are looked at after their secrets: one may have come in between."""
        deleted = await self.readers.read(agents.deleted)
        holding = await self.readers.read(partial(tokens.holding, now=now_micros()))
        return [
            secret
            for secret in owned
            if secret.owner in deleted or (secret.owner.startswith("tokens/") and secret.owner not in holding)
        ]

    async def _forget(self, stub: "secrets_pb2_grpc.SecretServiceAsyncStub", secret: secrets_pb2.Secret) -> None:
        request = secrets_pb2.DeleteSecretRequest(name=secret.name, owner=secret.owner)
        try:
            await stub.DeleteSecret(request, timeout=self.call_seconds)
        except grpc.aio.AioRpcError as error:
            if not isinstance(from_rpc(error), NotFound):
                raise
