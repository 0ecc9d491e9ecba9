"""A caller of a sandbox, as control relays it: messages both ways, each held up until the other side takes it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from signet.kit.errors import SignetError
from signet.v1 import sandboxes_pb2
from signet.work.v1 import work_pb2
from workers.control import Control

Said = work_pb2.AttachRequest


class Left(Exception):
    """The caller is gone, or control is."""


class Caller:
    """One stream. `send` and `receive` raise Left once it is over."""

    def __init__(self, control: Control, ident: str) -> None:
        self._ident = ident
        self._room = asyncio.Queue[Said | None](1)
        self._answers = control.attach(self._said())
        self._over = asyncio.Event()

    async def send(self, message: Said) -> None:
        """Send a message; waits while the one before it was not taken. For several tasks."""
        await self._put(message)

    async def say(self, **kind: bytes | str | sandboxes_pb2.ExecExit) -> None:
        """Send what a command says."""
        await self.send(Said(exec=sandboxes_pb2.ExecSandboxResponse(**kind)))  # type: ignore[arg-type]  # checked by protobuf

    async def fail(self, reason: str, message: str) -> None:
        """Say why the caller is not served; `reason` is an ErrorReason without its prefix."""
        await self.send(Said(failure=work_pb2.AttachFailure(reason=reason, message=message)))

    async def receive(self) -> sandboxes_pb2.ExecSandboxRequest:
        """Wait for the next message. For one task, which is not cancelled before the stream may end."""
        try:
            async for answer in self._answers:
                return answer.exec
        except SignetError as error:
            self._over.set()
            raise Left from error
        self._over.set()
        raise Left

    async def finish(self) -> None:
        """Say that nothing more comes; control closes the stream behind what was sent."""
        await self._put(None)

    async def aclose(self) -> None:
        """Leave the stream."""
        self._over.set()
        if isinstance(self._answers, AsyncGenerator):
            await self._answers.aclose()

    async def _put(self, message: Said | None) -> None:
        if self._over.is_set():
            raise Left
        if self._room.empty():
            self._room.put_nowait(message)
            return
        putting = asyncio.ensure_future(self._room.put(message))
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait([putting, over], return_when=asyncio.FIRST_COMPLETED)
            if not putting.done():
                raise Left
        finally:
            putting.cancel()
            over.cancel()

    async def _said(self) -> AsyncIterator[Said]:
        yield Said(id=self._ident)
        while message := await self._room.get():
            yield message
