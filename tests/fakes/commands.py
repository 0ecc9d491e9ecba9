"""Commands of a fake sandbox: processes of this machine, in a folder, behind the messages of ExecSandbox."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from signet.kit.errors import NotFound
from signet.v1 import sandboxes_pb2 as pb


@dataclass
class Running:
    """One command. `answers` is what comes of it, at most 64 messages ahead of whoever reads."""

    process: asyncio.subprocess.Process
    sizes: list[tuple[int, int]]
    answers: asyncio.Queue[pb.ExecSandboxResponse] = field(default_factory=lambda: asyncio.Queue(64))

    @classmethod
    async def begin(cls, command: pb.ExecCommand, folder: Path | None, sizes: list[tuple[int, int]]) -> "Running":
        argv = list(command.argv) or ["/bin/sh"]
        if command.HasField("terminal"):
            sizes.append((command.terminal.rows, command.terminal.columns))
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder, start_new_session=True,
                env={**os.environ, **dict(command.env)},
            )  # fmt: skip
        except FileNotFoundError:
            raise NotFound("FILE_NOT_FOUND", f"there is no program {argv[0]!r} inside") from None
        return cls(process, sizes)

    async def go(self, requests: AsyncIterator[Any]) -> AsyncIterator[pb.ExecSandboxResponse]:
        """Yield what comes of it up to its exit; leaving kills it."""
        tasks = [asyncio.create_task(self._hear(requests)), asyncio.create_task(self._end())]
        try:
            while True:
                answer = await self.answers.get()
                yield answer
                if answer.HasField("exited"):
                    return
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self.process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                await self.process.wait()

    async def _hear(self, requests: AsyncIterator[Any]) -> None:
        async for request in requests:
            match request.WhichOneof("kind"):
                case "stdin":
                    await self._write(request.stdin)
                case "stdin_end":
                    if self.process.stdin:
                        self.process.stdin.close()
                case "resize":
                    self.sizes.append((request.resize.rows, request.resize.columns))
                case "signal":
                    os.killpg(self.process.pid, request.signal)

    async def _write(self, data: bytes) -> None:
        if self.process.stdin:
            self.process.stdin.write(data)
            with suppress(ConnectionError):
                await self.process.stdin.drain()

    async def _end(self) -> None:
        await asyncio.gather(self._pump(self.process.stdout, "stdout"), self._pump(self.process.stderr, "stderr"))
        code = await self.process.wait()
        await self.answers.put(pb.ExecSandboxResponse(exited=pb.ExecExit(code=code if code >= 0 else 128 - code)))

    async def _pump(self, source: Any, kind: str) -> None:
        while data := await source.read(65_536):
            piece = pb.ExecSandboxResponse(stdout=data) if kind == "stdout" else pb.ExecSandboxResponse(stderr=data)
            await self.answers.put(piece)
