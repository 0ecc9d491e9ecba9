"""Callers' streams to sandboxes, handed over to the worker that has the sandbox.

Control dials no worker. A caller's stream waits here; its worker is told in its orders and calls Attach; from then on
each one's messages are the other's, through two pipes of a few messages. Where one reads slowly the other has to wait,
as gRPC itself has it; where one leaves, the other is told at once.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from control.bells import Bells
from control.pipe import Pipe
from control.room import Room
from signet.kit.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    SignetError,
    Unavailable,
)
from signet.v1 import sandboxes_pb2
from signet.work.v1 import work_pb2

ATTACH_SECONDS = 15.0
"""How long a worker may take to come for a caller."""

MAX_RELAYS = 100
"""Callers served at once."""

WAITING = 4
"""Messages that wait in each direction: at 256 KiB each, so many callers cannot fill the memory."""

_LINGER_SECONDS = 2.0

_CLASSES: dict[str, type[SignetError]] = {
    "AGENT_NOT_FOUND": NotFound,
    "SANDBOX_NOT_FOUND": NotFound,
    "FILE_NOT_FOUND": NotFound,
    "POLICY_DENIED": PermissionDenied,
    "LIMIT_REACHED": ResourceExhausted,
    "INVALID_FIELD": InvalidArgument,
    "NO_WORKER": Unavailable,
    "SHUTTING_DOWN": Unavailable,
}


@dataclass
class Relay:
    """One caller's stream. `inward` goes to the worker, `outward` comes from it."""

    worker: str
    order: work_pb2.AttachOrder
    inward: Pipe[sandboxes_pb2.ExecSandboxRequest] = field(default_factory=lambda: Pipe(WAITING))
    outward: Pipe[work_pb2.AttachRequest] = field(default_factory=lambda: Pipe(WAITING))
    attached: asyncio.Event = field(default_factory=asyncio.Event)
    spoken: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the caller has no more input."""
    _left: asyncio.Event = field(default_factory=asyncio.Event)

    async def come(self, seconds: float) -> None:
        """Wait until the worker has come. Raises Unavailable (NO_WORKER) where it does not in time."""
        try:
            async with asyncio.timeout(seconds):
                await self.attached.wait()
        except TimeoutError:
            raise Unavailable(
                "NO_WORKER",
                f"workers/{self.worker} did not come for {self.order.target} within {seconds:g} seconds",
                hint="signet worker list",
                retry_after_seconds=1,
            ) from None

    async def hear_out(self) -> None:
        """Let a caller that may be in the middle of a write finish it, for a moment; what it says goes nowhere.

        An end that meets a write reaches gRPC's clients as a fault, and what was said before it can be lost.
        """
        self.inward.end()
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                await self.spoken.wait()
        except TimeoutError:
            return

    async def gone(self) -> None:
        """Wait until the caller is gone."""
        await self._left.wait()

    def leave(self) -> None:
        """Say that the caller is gone: its worker is told, and nothing more is passed on."""
        self._left.set()
        self.inward.end()
        self.outward.end()

    async def answer(self) -> work_pb2.AttachRequest | None:
        """Give what the worker says next, None at its end. Raises for a failure it tells of, and where it broke off."""
        message = await self.outward.get()
        if message is not None and message.HasField("failure"):
            raise _failed(message.failure)
        return message

    async def feed(self, first: work_pb2.AttachRequest, rest: AsyncIterator[work_pb2.AttachRequest]) -> None:
        """Pass on what the worker says, as fast as the caller takes it, until either ends."""
        whole = False
        message: work_pb2.AttachRequest | None = first
        try:
            while message is not None:
                whole = message.exec.HasField("exited") or message.HasField("failure")
                if not await self.outward.put(message) or whole:
                    return
                message = await anext(rest, None)
            whole = self.order.logs
        finally:
            self.outward.end(None if whole else _broken(self.worker))


@dataclass(frozen=True)
class Relays:
    """The callers' streams that wait for their worker or are served by it."""

    bells: Bells
    _open: dict[str, Relay] = field(default_factory=dict)
    _room: Room = field(default_factory=lambda: Room(MAX_RELAYS, "callers of sandboxes"))

    @contextmanager
    def opened(self, worker: str, order: work_pb2.AttachOrder) -> Iterator[Relay]:
        """Have a caller's stream wait for a worker until the block is left. Raises ResourceExhausted, Unavailable."""
        if self.bells.closing:
            raise _closing()
        with self._room.place():
            order.id = str(uuid.uuid4())
            relay = Relay(worker, order)
            self._open[order.id] = relay
            self.bells.ring(f"workers/{worker}")
            try:
                yield relay
            finally:
                del self._open[order.id]
                relay.leave()

    def orders(self, worker: str) -> list[work_pb2.AttachOrder]:
        """Give those that wait for a worker."""
        return [relay.order for relay in self._open.values() if relay.worker == worker and not relay.attached.is_set()]

    def take(self, ident: str) -> Relay:
        """Give a caller's stream to the worker that came for it, once.

        Raises NotFound where the caller is gone, FailedPrecondition where it is served already. So a worker whose end
        of a stream is full, and which therefore cannot hear its end, may ask in this way whether the caller is there.
        """
        relay = self._open.get(ident)
        if relay is None:
            raise NotFound("SANDBOX_NOT_FOUND", "that caller is gone")
        if relay.attached.is_set():
            raise FailedPrecondition("SANDBOX_BUSY", "that caller is served already")
        relay.attached.set()
        return relay

    async def close(self) -> None:
        """Wait until control ends, then end every caller's stream and say so."""
        with self.bells.listen("relays") as ending:
            while not self.bells.closing:
                ending.clear()
                await ending.wait()
        for relay in tuple(self._open.values()):
            relay.attached.set()
            relay.inward.end()
            relay.outward.end(_closing())


def _failed(failure: work_pb2.AttachFailure) -> SignetError:
    known = _CLASSES.get(failure.reason, FailedPrecondition)
    return known(failure.reason or "SANDBOX_FAILED", failure.message or "the sandbox cannot be had")


def _broken(worker: str) -> Unavailable:
    message = f"workers/{worker} broke off in the middle: how the command ended is not known"
    return Unavailable("NO_WORKER", message, hint="signet worker list")


def _closing() -> Unavailable:
    return Unavailable("SHUTTING_DOWN", "control is ending", retry_after_seconds=1)
