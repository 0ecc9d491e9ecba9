"""The road to a fleet: two channels, the caller's token, deadlines, and what is sent again when a service is away."""

from collections.abc import AsyncGenerator
from functools import cached_property
from typing import TypeVar

import grpc

from signet.client.fleet import Fleet
from signet.client.patience import Patience
from signet.kit import deadlines
from signet.kit.dial import OPTIONS
from signet.kit.errors import FailedPrecondition, SignetError, Unavailable, from_rpc

Q = TypeVar("Q")
R = TypeVar("R")


class Channels:
    """The channels to control and router, dialled at their first use, inside the event loop."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.reached = False
        """Whether anybody ever answered: what was there comes back, what never was has to be started."""

    @cached_property
    def control(self) -> grpc.aio.Channel:
        """Where agents, sessions, runs, workers and tokens are."""
        return grpc.aio.insecure_channel(self._fleet.control, options=OPTIONS)

    @cached_property
    def router(self) -> grpc.aio.Channel:
        """Where models, providers and usage are. Raises FailedPrecondition where nobody said where that is."""
        if not self._fleet.router:
            raise FailedPrecondition(
                "ROUTER_UNAVAILABLE",
                f"the router of the fleet at {self._fleet.control} is not known",
                hint="set SIGNET_ROUTER to its host:port",
            )
        return grpc.aio.insecure_channel(self._fleet.router, options=OPTIONS)

    async def close(self) -> None:
        """Close what was dialled."""
        for name in ("control", "router"):
            if name in self.__dict__:
                dialled: grpc.aio.Channel = self.__dict__.pop(name)
                await dialled.close(grace=None)


class Connection:
    """One caller's calls over the channels.

    A unary call has `timeout_seconds`, or what is left of the call that is being served if that is less. Where the
    service is away, a call that may be repeated is sent again for `patience_seconds`; not at all, where nobody was ever
    reached and no supervisor is there to bring the service back.
    """

    def __init__(self, fleet: Fleet, channels: Channels, *, timeout_seconds: float, patience_seconds: float) -> None:
        self.fleet = fleet
        self.channels = channels
        self.timeout_seconds = timeout_seconds
        self.patience_seconds = patience_seconds

    def acting_as(self, token: str) -> "Connection":
        """Give a connection of another caller over the same channels."""
        return Connection(
            self.fleet.acting_as(token),
            self.channels,
            timeout_seconds=self.timeout_seconds,
            patience_seconds=self.patience_seconds,
        )

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Q, R],
        request: Q,
        *,
        repeat: bool = True,
        timeout_seconds: float | None = None,
    ) -> R:
        """Ask once, or until the service is back where `repeat` allows. Raises an error of signet.kit.errors.

        `timeout_seconds` is for calls that may take longer than others.
        """
        patience = self.patience()
        while True:
            try:
                timeout = deadlines.shorter(timeout_seconds or self.timeout_seconds)
                answer = await method(request, timeout=timeout, metadata=self._metadata())
            except grpc.aio.AioRpcError as error:
                failure = self.explain(error)
                if not repeat:
                    raise failure from None
                await self.outwait(patience, failure)
            else:
                self.channels.reached = True
                return answer

    async def stream(self, method: grpc.aio.UnaryStreamMultiCallable[Q, R], request: Q) -> AsyncGenerator[R, None]:
        """Yield what a stream brings. Ending it early cancels the call. Raises an error of signet.kit.errors."""
        call = method(request, timeout=deadlines.shorter(None), metadata=self._metadata())
        try:
            async for answer in call:
                self.channels.reached = True
                yield answer
        except grpc.aio.AioRpcError as error:
            raise self.explain(error) from None
        finally:
            call.cancel()

    def duplex(self, method: grpc.aio.StreamStreamMultiCallable[Q, R]) -> grpc.aio.StreamStreamCall[Q, R]:
        """Open a stream in both directions; whoever reads it makes an error of it with `explain`."""
        return method(timeout=deadlines.shorter(None), metadata=self._metadata())

    def patience(self) -> Patience:
        """Begin to be patient with a service."""
        return Patience(self.patience_seconds)

    async def outwait(self, patience: Patience, failure: SignetError) -> None:
        """Wait until it is time to ask again. Raises the failure where that is no use."""
        if not self.channels.reached and not self.fleet.supervised():
            raise failure from None
        await patience.outwait(failure)

    def explain(self, error: grpc.aio.AioRpcError) -> SignetError:
        """Make an error of ours of one of gRPC's; one that says nobody answers tells how to start the fleet."""
        failure = from_rpc(error)
        if not isinstance(failure, Unavailable) or failure.reason != "CONTROL_UNAVAILABLE":
            self.channels.reached = True
            return failure
        where = self.fleet.home.root if self.fleet.local else self.fleet.control
        hint = "start it with `signet up`" if self.fleet.local else "see whether SIGNET_CONTROL is right and it runs"
        return Unavailable("CONTROL_UNAVAILABLE", f"no fleet answers at {where}", hint=hint)

    def _metadata(self) -> grpc.aio.Metadata:
        if not self.fleet.token:
            return grpc.aio.Metadata()
        return grpc.aio.Metadata(("authorization", f"Bearer {self.fleet.token}"))
