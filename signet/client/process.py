"""A command in a sandbox, with its streams: what is written goes in, what is read comes out, leaving kills it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import grpc

from signet.client.connection import Connection
from signet.kit.errors import DeadlineExceeded, Internal, Unavailable
from signet.v1 import sandboxes_pb2 as pb

if TYPE_CHECKING:
    from signet.v1.sandboxes_pb2_grpc import SandboxServiceAsyncStub

PIECE_BYTES = 64 * 1024
"""How much goes into one message; the service takes at most 256 KiB."""

_BROKEN = "Internal error from Core"
"""What gRPC says in place of a call's own end where that met a write."""


@dataclass(frozen=True)
class Piece:
    """What came out: of standard error where `error`, else of standard output or the terminal."""

    data: bytes
    error: bool = False


class Process:
    """A command that runs. `async with` begins it and, left early, kills it; `pieces` then brings what comes out.

    In the block `sandbox` is where it runs; behind the last piece `exit` is how it ended.
    Raises NotFound (agent, sandbox, program), Unavailable (no worker), ResourceExhausted, PermissionDenied (by policy).
    """

    def __init__(self, connection: Connection, stub: "SandboxServiceAsyncStub", start: pb.ExecStart) -> None:
        self._connection = connection
        self._stub = stub
        self._start = start
        self._call: Any = None
        self._writing = asyncio.Lock()  # a call takes one message at a time
        self.sandbox = ""
        self.exit: pb.ExecExit | None = None

    async def __aenter__(self) -> Self:
        self._call = self._connection.duplex(self._stub.ExecSandbox)
        try:
            await self._send(pb.ExecSandboxRequest(start=self._start))
            async with asyncio.timeout(self._connection.timeout_seconds):
                first = await self._receive()
        except TimeoutError:
            self._call.cancel()
            message = f"{self._start.target} did not begin within {self._connection.timeout_seconds:g} s"
            raise DeadlineExceeded("DEADLINE_EXCEEDED", message, hint="signet worker list") from None
        except BaseException:
            self._call.cancel()
            raise
        if first is None:
            raise Internal("INTERNAL", "the command ended before it began")
        self.sandbox = first.started
        if first.HasField("exited"):
            self.exit = first.exited
        return self

    async def __aexit__(self, *_: object) -> None:
        self._call.cancel()  # does nothing to a call that is over

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Yield what comes out until the command has ended. Raises an error of signet.kit.errors."""
        while self.exit is None:
            answer = await self._receive()
            if answer is None:
                raise Internal("INTERNAL", "the command's stream ended without its exit code")
            match answer.WhichOneof("kind"):
                case "stdout":
                    yield Piece(answer.stdout)
                case "stderr":
                    yield Piece(answer.stderr, error=True)
                case "exited":
                    self.exit = answer.exited

    async def write(self, data: bytes) -> None:
        """Give it input; returns when there is room for more. What comes too late goes nowhere, as into a pipe."""
        for start in range(0, len(data), PIECE_BYTES):
            await self._send(pb.ExecSandboxRequest(stdin=data[start : start + PIECE_BYTES]))

    async def end_input(self) -> None:
        """Tell it that nothing more comes in; not for a terminal, which is written what ends it."""
        await self._send(pb.ExecSandboxRequest(stdin_end=True))

    async def resize(self, rows: int, columns: int) -> None:
        """Tell its terminal the new size, each 1-1000."""
        await self._send(pb.ExecSandboxRequest(resize=pb.TerminalSize(rows=rows, columns=columns)))

    async def signal(self, number: int) -> None:
        """Send its process group a signal, 1-64."""
        await self._send(pb.ExecSandboxRequest(signal=number))

    async def _send(self, request: pb.ExecSandboxRequest) -> None:
        try:
            async with self._writing:
                await self._call.write(request)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # it is over: whoever reads is told why

    async def _receive(self) -> pb.ExecSandboxResponse | None:
        try:
            answer = await self._call.read()
        except grpc.aio.AioRpcError as error:
            if error.details() == _BROKEN:
                raise Unavailable(
                    "CONTROL_UNAVAILABLE", "the command's stream broke off while it was written"
                ) from None
            raise self._connection.explain(error) from None
        return answer if isinstance(answer, pb.ExecSandboxResponse) else None
