"""A caller of a sandbox, as control relays it: messages both ways, each held up until the other side takes it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self

from signet.kit.errors import NotFound, SignetError
from signet.v1 import sandboxes_pb2
from signet.work.v1 import work_pb2
from workers.control import Control

Said = work_pb2.AttachRequest
Asked = sandboxes_pb2.ExecSandboxRequest
STUCK_SECONDS = 5.0
"""After so long without anybody taking a message, control is asked whether the caller is there."""


class Left(Exception):
    """The caller is gone, or control is."""


class Caller:
    """One stream: `async with Caller(control, id)`. Leaving the block ends it, whatever was not taken yet is lost."""

    def __init__(self, control: Control, ident: str) -> None:
        self._control = control
        self._ident = ident
        self._outward = asyncio.Queue[Said | None](1)
        self._inward = asyncio.Queue[Asked](1)
        self._reading: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        if self._reading:  # the stream is that task's: it ends with it
            self._reading.cancel()
            await asyncio.wait([self._reading])
        while not self._outward.empty():
            self._outward.get_nowait()
        self._outward.put_nowait(None)  # or gRPC would wait for a message without end

    async def send(self, message: Said) -> None:
        """Send a message; waits while the one before it was not taken. For several tasks. Raises Left."""
        await self._put(message)

    async def say(self, **kind: bytes | str | sandboxes_pb2.ExecExit) -> None:
        """Send what a command says. Raises Left."""
        await self.send(Said(exec=sandboxes_pb2.ExecSandboxResponse(**kind)))  # type: ignore[arg-type]  # checked by protobuf

    async def fail(self, reason: str, message: str) -> None:
        """Say why the caller is not served; `reason` is an ErrorReason without its prefix. Raises Left."""
        await self.send(Said(failure=work_pb2.AttachFailure(reason=reason, message=message)))

    async def receive(self) -> Asked:
        """Wait for the next message. Raises Left behind the last."""
        if not self._inward.empty():
            return self._inward.get_nowait()
        getting = asyncio.ensure_future(self._inward.get())
        if await self._first(getting):
            return getting.result()
        raise Left

    async def left(self) -> None:
        """Wait until the caller is gone."""
        await self._over.wait()

    async def finish(self, seconds: float) -> None:
        """Say that nothing more comes, and wait until control has taken all of it, at most that long."""
        with contextlib.suppress(Left, TimeoutError):
            async with asyncio.timeout(seconds):
                await self._put(None)
                while True:  # what still comes is for nobody
                    await self.receive()

    async def _put(self, message: Said | None) -> None:
        if self._over.is_set():
            raise Left
        if self._outward.empty():
            self._outward.put_nowait(message)
        elif not await self._first(asyncio.ensure_future(self._outward.put(message))):
            raise Left

    async def _first(self, wanted: "asyncio.Future[Asked] | asyncio.Future[None]") -> bool:
        """Whether it comes before the stream is over."""
        over = asyncio.ensure_future(self._over.wait())
        both: set[asyncio.Future[object]] = {wanted, over}  # type: ignore[arg-type]  # only waited for
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            return wanted.done()
        finally:
            wanted.cancel()
            over.cancel()

    async def _read(self) -> None:
        try:
            async with contextlib.aclosing(self._control.attach(self._said())) as answers:
                async for answer in answers:
                    if not await self._handed(answer.exec):
                        return
        except SignetError:  # the caller left, or control did
            return
        finally:
            self._over.set()

    async def _handed(self, message: Asked) -> bool:
        """Hand a message on; False where the caller is gone meanwhile: a stream tells its end behind its messages."""
        while True:
            try:
                async with asyncio.timeout(STUCK_SECONDS):
                    await self._inward.put(message)
                    return True
            except TimeoutError:
                if await self._gone():
                    return False

    async def _gone(self) -> bool:
        try:
            async with (
                asyncio.timeout(STUCK_SECONDS),
                contextlib.aclosing(self._control.attach(_only(Said(id=self._ident)))) as answers,
            ):
                async for _ in answers:
                    return False
        except NotFound:
            return True
        except (SignetError, TimeoutError):  # it is served, by this; or control is away, and its stream ends for that
            return False
        return False

    async def _said(self) -> AsyncIterator[Said]:
        yield Said(id=self._ident)
        while message := await self._outward.get():
            yield message


async def _only(message: Said) -> AsyncIterator[Said]:
    yield message
