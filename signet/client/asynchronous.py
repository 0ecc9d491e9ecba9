"""The client for programs that run an event loop."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Self

from signet.client.agents import AsyncAgents
from signet.client.apis import AsyncApis
from signet.client.approvals import AsyncApprovals, AsyncGrants
from signet.client.budgets import AsyncBudgets
from signet.client.connection import Channels, Connection
from signet.client.fleet import Fleet
from signet.client.inference import AsyncInference
from signet.client.models import AsyncModels
from signet.client.policies import AsyncPolicies
from signet.client.providers import AsyncProviders
from signet.client.routes import AsyncRoutes
from signet.client.runs import AsyncRuns
from signet.client.sandboxes import AsyncSandboxes
from signet.client.secrets import AsyncSecrets
from signet.client.sessions import AsyncSessions
from signet.client.souls import AsyncSouls
from signet.client.tokens import AsyncTokens
from signet.client.usage import AsyncUsage
from signet.client.workers import AsyncWorkers
from signet.kit.errors import SignetError
from signet.v1.events_pb2 import RunEvent
from signet.v1.runs_pb2 import Run

_CANCEL_SECONDS = 5.0


class AsyncSignet:
    """A fleet, as one caller sees it.

    `data`: the data folder of a local fleet (else SIGNET_DATA, else the user's). `control` and `router`: `host:port` of
    another fleet (else SIGNET_CONTROL, SIGNET_ROUTER); dialled without TLS, so over loopback or a tunnel. `token`: the
    caller's (else SIGNET_TOKEN, else the local operator's). `timeout_seconds` bounds every unary call;
    `patience_seconds` is how long a service that was there may be away.

    Every method raises the errors of signet.kit.errors. Nothing is dialled before the first call.
    """

    def __init__(
        self,
        *,
        data: str | None = None,
        control: str | None = None,
        router: str | None = None,
        token: str | None = None,
        timeout_seconds: float = 30.0,
        patience_seconds: float = 30.0,
    ) -> None:
        fleet = Fleet.find(data, control, router, token)
        self._bind(
            Connection(fleet, Channels(fleet), timeout_seconds=timeout_seconds, patience_seconds=patience_seconds)
        )

    def _bind(self, connection: Connection) -> None:
        self._connection = connection
        self.agents = AsyncAgents(connection)
        self.souls = AsyncSouls(connection)
        self.sessions = AsyncSessions(connection)
        self.runs = AsyncRuns(connection)
        self.models = AsyncModels(connection)
        self.inference = AsyncInference(connection)
        self.providers = AsyncProviders(connection)
        self.workers = AsyncWorkers(connection)
        self.usage = AsyncUsage(connection)
        self.tokens = AsyncTokens(connection)
        self.policies = AsyncPolicies(connection)
        self.approvals = AsyncApprovals(connection)
        self.grants = AsyncGrants(connection)
        self.sandboxes = AsyncSandboxes(connection)
        self.secrets = AsyncSecrets(connection)
        self.budgets = AsyncBudgets(connection)
        self.apis = AsyncApis(connection)
        self.routes = AsyncRoutes(connection)

    @property
    def fleet(self) -> Fleet:
        """Where the fleet is, and whose token is used."""
        return self._connection.fleet

    def acting_as(self, token: str) -> "AsyncSignet":
        """Give a client of another caller over the same channels, which only this one closes."""
        other = AsyncSignet.__new__(AsyncSignet)
        other._bind(self._connection.acting_as(token))  # noqa: SLF001 - our own kind
        return other

    async def run(
        self,
        agent: str = "",
        input: str = "",  # noqa: A002 - the field's name
        *,
        session: str = "",
        model: str = "",
        request_id: str | None = None,
    ) -> AsyncGenerator[RunEvent, None]:
        """Dispatch an agent and yield the run's events, the last of which is `finished`.

        Leaving early, by closing the generator or by a cancel, cancels the run. Raises as `runs.create` and
        `runs.watch`.
        """
        run = await self._created(agent, input, session=session, model=model, request_id=request_id)
        over = False
        try:
            async with aclosing(self.runs.watch(run.name)) as events:
                async for event in events:
                    over = event.HasField("finished")
                    yield event
        except (GeneratorExit, asyncio.CancelledError):
            if not over:
                await self._cancel(run.name)
            raise

    async def _created(self, agent: str, text: str, *, session: str, model: str, request_id: str | None) -> Run:
        """Create the run; a cancel in the middle of it waits for the answer, to cancel the run that was made."""
        creating = asyncio.ensure_future(
            self.runs.create(agent, text, session=session, model=model, request_id=request_id)
        )
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:
            with suppress(SignetError, TimeoutError):
                async with asyncio.timeout(_CANCEL_SECONDS):
                    await self.runs.cancel((await creating).name)
            raise

    async def _cancel(self, name: str) -> None:
        with suppress(SignetError, TimeoutError):  # whoever leaves is not kept; control ends what it can
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self.runs.cancel(name)

    async def close(self) -> None:
        """Close the channels; calls that run end with Cancelled."""
        await self._connection.channels.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
