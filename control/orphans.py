"""The secrets of agents that were deleted: they go with their agent, though the router has them."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from control.bells import AGENTS, Bells
from control.store import agents
from control.store.readers import Readers
from signet.kit import dial
from signet.kit.errors import NotFound, SignetError, from_rpc
from signet.kit.log import Log
from signet.v1 import secrets_pb2, secrets_pb2_grpc

_PAGE = 1000


@dataclass(frozen=True)
class Orphans:
    """Removes at the router what deleted agents own. `router` is what is dialled, `token` an operator's secret.

    An agent that is brought back comes without its secrets.
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
        """Look at once, whenever an agent is deleted, and now and then; runs until cancelled, or control ends."""
        with self.bells.listen(AGENTS) as news:
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
        deleted = await self.readers.read(agents.deleted)
        if not deleted:
            return 0
        async with dial.channel(self.router, self.token()) as channel:
            stub = secrets_pb2_grpc.SecretServiceStub(channel)
            try:
                names = await self._owned(stub, deleted)
                for name in names:
                    await self._forget(stub, name)
            except grpc.aio.AioRpcError as error:
                raise from_rpc(error) from error
        if names:
            self.log.info("orphans_removed", secrets=len(names))
        return len(names)

    async def _owned(self, stub: "secrets_pb2_grpc.SecretServiceAsyncStub", owners: frozenset[str]) -> list[str]:
        found: list[str] = []
        token = ""
        while True:
            request = secrets_pb2.ListSecretsRequest(page_size=_PAGE, page_token=token)
            answer = await stub.ListSecrets(request, timeout=self.call_seconds)
            found += [secret.name for secret in answer.secrets if secret.owner in owners]
            token = answer.next_page_token
            if not token:
                return found

    async def _forget(self, stub: "secrets_pb2_grpc.SecretServiceAsyncStub", name: str) -> None:
        try:
            await stub.DeleteSecret(secrets_pb2.DeleteSecretRequest(name=name), timeout=self.call_seconds)
        except grpc.aio.AioRpcError as error:
            if not isinstance(from_rpc(error), NotFound):
                raise
