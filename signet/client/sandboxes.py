"""Sandboxes: where agents run, and what people do inside them."""

import errno
import os
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify, qualify_optional, utf8
from signet.client.connection import Connection
from signet.client.feeding import feeding
from signet.client.pages import Pages
from signet.client.process import Process
from signet.kit.errors import FailedPrecondition, NotFound, ResourceExhausted
from signet.v1 import sandboxes_pb2 as pb
from signet.v1.sandboxes_pb2_grpc import SandboxServiceStub

if TYPE_CHECKING:
    from signet.v1.sandboxes_pb2_grpc import SandboxServiceAsyncStub

MAX_OUTPUT_BYTES = 16 << 20
"""The most that `run` keeps of what a command writes."""

Chunks = Iterable[bytes] | AsyncIterable[bytes]


@dataclass(frozen=True)
class Finished:
    """How a command ended: its exit code (128 + signal where a signal ended it), why, where, and what it wrote."""

    code: int
    detail: str
    sandbox: str
    stdout: bytes
    stderr: bytes


class AsyncSandboxes:
    """The sandboxes of a fleet. A target is an agent, short (`assistant`) or full, or `sandboxes/{sandbox}`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "SandboxServiceAsyncStub":
        return SandboxServiceStub(self._connection.channels.control)

    async def get(self, name: str) -> pb.Sandbox:
        """Give one sandbox with its isolation report. Raises NotFound."""
        request = pb.GetSandboxRequest(name=qualify("sandboxes", name))
        return (await self._connection.call(self._stub.GetSandbox, request)).sandbox

    def list(
        self, *, agent: str = "", page_size: int = 0, page_token: str = ""
    ) -> Pages[pb.ListSandboxesResponse, pb.Sandbox]:
        """Give the open sandboxes by name; with `agent`, only that one's."""
        request = pb.ListSandboxesRequest(
            agent=qualify_optional("agents", agent), page_size=page_size, page_token=page_token
        )
        return Pages(self._connection, lambda: self._stub.ListSandboxes, request, lambda page: page.sandboxes)

    async def stop(self, name: str, *, force: bool = False) -> None:
        """Close a sandbox; its workspace stays. With `force` also where a run is in it, which then fails.

        Raises NotFound, FailedPrecondition (SANDBOX_BUSY).
        """
        request = pb.StopSandboxRequest(name=qualify("sandboxes", name), force=force)
        await self._connection.call(self._stub.StopSandbox, request, repeat=False)

    async def logs(self, name: str, *, follow: bool = False) -> AsyncGenerator[pb.WatchSandboxLogsResponse, None]:
        """Yield what a sandbox's log keeps, its last 1000 lines; with `follow` go on with new ones. Raises NotFound."""
        request = pb.WatchSandboxLogsRequest(name=qualify("sandboxes", name), follow=follow)
        async with aclosing(self._connection.stream(self._stub.WatchSandboxLogs, request)) as lines:
            async for line in lines:
                yield line

    def open(
        self,
        target: str,
        argv: Sequence[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        folder: str = "",
        terminal: tuple[int, int] | None = None,
        max_seconds: int = 0,
    ) -> Process:
        """Give a command to begin with `async with`; without `argv` it is the sandbox's shell.

        `terminal`: rows and columns of one for it; without, it has pipes. `max_seconds` kills it, 0 never does.
        A sandbox is opened where the agent has none.
        """
        size = pb.TerminalSize(rows=terminal[0], columns=terminal[1]) if terminal else None
        command = pb.ExecCommand(
            argv=[utf8("argv", word) for word in argv],
            env=env,
            folder=utf8("folder", folder),
            terminal=size,
            max_seconds=max_seconds,
        )
        return Process(self._connection, self._stub, pb.ExecStart(target=_target(target), command=command))

    async def run(
        self,
        target: str,
        argv: Sequence[str],
        *,
        stdin: bytes | Chunks = b"",
        env: Mapping[str, str] | None = None,
        folder: str = "",
        max_seconds: int = 0,
    ) -> Finished:
        """Run a command to its end. Raises as Process, and ResourceExhausted where it writes over MAX_OUTPUT_BYTES."""
        kept = {False: bytearray(), True: bytearray()}
        process = self.open(target, argv, env=env, folder=folder, max_seconds=max_seconds)
        async with process, feeding(process, stdin):
            async for piece in process.pieces():
                kept[piece.error] += piece.data
                if sum(map(len, kept.values())) > MAX_OUTPUT_BYTES:
                    raise ResourceExhausted("LIMIT_REACHED", "the command wrote over 16 MiB", hint="write into a file")
        end = process.exit or pb.ExecExit()
        return Finished(end.code, end.detail, process.sandbox, bytes(kept[False]), bytes(kept[True]))

    async def pack(self, target: str, path: str) -> AsyncGenerator[bytes, None]:
        """Yield a tar of a file or folder of the sandbox, its members named from its own name on.

        Raises NotFound (agent, sandbox, file), FailedPrecondition (it cannot be read).
        """
        start = pb.ExecStart(target=_target(target), pack=utf8("path", path))
        async with Process(self._connection, self._stub, start) as process:
            said = bytearray()
            async for piece in process.pieces():
                if piece.error:
                    said += piece.data[: 4096 - len(said)]
                else:
                    yield piece.data
            _check(process, said)

    async def unpack(self, target: str, folder: str, chunks: bytes | Chunks) -> None:
        """Unpack a tar into a folder of the sandbox. Raises NotFound, FailedPrecondition (it cannot be written)."""
        start = pb.ExecStart(target=_target(target), unpack=utf8("folder", folder))
        process = Process(self._connection, self._stub, start)
        async with process, feeding(process, chunks):
            said = bytearray()
            async for piece in process.pieces():
                said += piece.data[: 4096 - len(said)]
            _check(process, said)


def _target(name: str) -> str:
    return name if name.startswith("sandboxes/") else qualify("agents", name)


def _check(process: Process, said: bytearray) -> None:
    if process.exit is None or process.exit.code == 0:
        return
    text = said.decode(errors="replace").strip() or process.exit.detail or f"it ended with {process.exit.code}"
    kind = NotFound if text.endswith(os.strerror(errno.ENOENT)) else FailedPrecondition
    raise kind("FILE_NOT_FOUND", text)
