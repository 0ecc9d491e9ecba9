"""Control's relay as a worker sees it: Attach really served, with a caller on the other end that a test plays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from signet.kit import log, rpc
from signet.kit.auth import Caller
from signet.kit.errors import FailedPrecondition, NotFound
from signet.kit.names import uuid7
from signet.v1 import sandboxes_pb2
from signet.work.v1 import work_pb2, work_pb2_grpc

WAITING = 4
"""Messages that wait in each direction."""
PATIENCE_SECONDS = 30.0
Request: TypeAlias = sandboxes_pb2.ExecSandboxRequest
Answer: TypeAlias = work_pb2.AttachRequest


@dataclass
class Call:
    """A caller's stream. `came` are all answers but output, which is joined in `out` and `err`."""

    order: work_pb2.AttachOrder
    inward: asyncio.Queue[Request] = field(default_factory=lambda: asyncio.Queue(WAITING))
    outward: asyncio.Queue[Answer | None] = field(default_factory=lambda: asyncio.Queue(WAITING))
    left: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    largest: int = 0
    attached: bool = False

    async def say(self, **kind: Any) -> None:
        """Send a message."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.inward.put(Request(**kind))

    async def hear(self) -> Answer | None:
        """Wait for the next message; None at the end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await self.outward.get()
        if answer is not None:
            self.out += answer.exec.stdout
            self.err += answer.exec.stderr
            self.largest = max(self.largest, len(answer.exec.stdout), len(answer.exec.stderr))
        return answer

    async def until(self, text: bytes) -> None:
        """Hear until that is in the output."""
        while text not in self.out:
            assert await self.hear() is not None, bytes(self.out)

    async def end(self) -> sandboxes_pb2.ExecExit:
        """Hear to the end; gives how it ended."""
        exited = None
        while (answer := await self.hear()) is not None:
            assert not answer.HasField("failure"), answer
            exited = answer.exec.exited if answer.exec.HasField("exited") else exited
        assert exited is not None, "it broke off"
        return exited

    async def failure(self) -> work_pb2.AttachFailure:
        """Hear to the end; gives why it was not served."""
        while (answer := await self.hear()) is not None:
            if answer.HasField("failure"):
                return answer.failure
        raise AssertionError("nothing failed")

    async def leave(self) -> None:
        """Be gone, and wait until the worker knows."""
        self.left.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.gone.wait()


@dataclass
class Relay(work_pb2_grpc.WorkServiceServicer):
    """The service."""

    calls: dict[str, Call] = field(default_factory=dict)
    asked: int = 0

    def call(self, target: str, **order: Any) -> Call:
        """Be a caller who waits."""
        call = Call(work_pb2.AttachOrder(id=uuid7(), target=target, **order))
        self.calls[call.order.id] = call
        return call

    async def Attach(self, request_iterator: Any, context: Any) -> None:  # type: ignore[override]  # as control does
        first = await anext(request_iterator)
        call = self.calls.get(first.id)
        if call is None or call.left.is_set():
            raise NotFound("SANDBOX_NOT_FOUND", "that caller is gone")
        if call.attached:
            self.asked += 1
            raise FailedPrecondition("SANDBOX_BUSY", "that caller is served already")
        call.attached = True

        async def hear() -> None:
            async for message in request_iterator:
                await call.outward.put(message)
            await call.outward.put(None)

        async def tell() -> None:
            while True:
                await context.write(work_pb2.AttachResponse(exec=await call.inward.get()))

        tasks = [asyncio.create_task(part) for part in (hear(), tell(), call.left.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            call.gone.set()


@asynccontextmanager
async def serving(relay: Relay, socket: Path) -> AsyncIterator[str]:
    """Serve it on a unix socket; gives what is dialled."""

    async def authenticate(_secret: str) -> Caller:
        return Caller("tokens/worker", "WORKER")

    guard = rpc.Guard(log.get("work"), authenticate, lambda _method, _caller: None)
    descriptor = work_pb2.DESCRIPTOR.services_by_name["WorkService"]
    service = rpc.Service(descriptor, work_pb2_grpc.add_WorkServiceServicer_to_server, relay)
    async with rpc.serving([service], unix=socket, tcp=None, guard=guard, grace_seconds=0):
        yield f"unix:{socket}"
