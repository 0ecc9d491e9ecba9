"""Commands of a fake sandbox: processes of this machine, in a folder, behind the messages of ExecSandbox."""

import asyncio
import fcntl
import os
import pty
import signal
import struct
import termios
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
    master: int = -1
    answers: asyncio.Queue[pb.ExecSandboxResponse] = field(default_factory=lambda: asyncio.Queue(64))

    @classmethod
    async def begin(cls, command: pb.ExecCommand, folder: Path | None, sizes: list[tuple[int, int]]) -> "Running":
        argv = list(command.argv) or ["/bin/sh"]
        environment = {**os.environ, **dict(command.env)}
        master, slave = pty.openpty() if command.HasField("terminal") else (-1, asyncio.subprocess.PIPE)
        if master >= 0:
            sizes.append((command.terminal.rows, command.terminal.columns))
            _resize(master, *sizes[-1])
            argv = ["setsid", "--ctty", "--wait", *argv]
        try:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=slave, stdout=slave, stderr=slave, cwd=folder, start_new_session=master < 0,
                env=environment,
            )  # fmt: skip
        except FileNotFoundError:
            raise NotFound("FILE_NOT_FOUND", f"there is no program {argv[0]!r} inside") from None
        finally:
            if master >= 0:
                os.close(slave)
        return cls(process, sizes, master)

    async def go(self, requests: AsyncIterator[Any]) -> AsyncIterator[pb.ExecSandboxResponse]:
        """Yield what comes of it up to its exit; leaving kills it."""
        tasks = [asyncio.create_task(self._hear(requests)), asyncio.create_task(self._end())]
        try:
            while True:
                answer = await self.answers.get()
                yield answer
                if answer.HasField("exited"):
                    # an end that meets a write reaches gRPC's clients as a fault: as control does, hear them out
                    await asyncio.wait(tasks[:1], timeout=1)
                    return
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self.master >= 0:
                os.close(self.master)  # which hangs up on whoever has the terminal
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
                    if self.master >= 0:
                        _resize(self.master, *self.sizes[-1])
                case "signal":
                    os.killpg(self.process.pid, request.signal)

    async def _write(self, data: bytes) -> None:
        if self.master >= 0:
            await asyncio.to_thread(os.write, self.master, data)
        elif self.process.stdin:
            self.process.stdin.write(data)
            with suppress(ConnectionError):
                await self.process.stdin.drain()

    async def _end(self) -> None:
        if self.master >= 0:
            await self._look()
        else:
            await asyncio.gather(self._pump(self.process.stdout, "stdout"), self._pump(self.process.stderr, "stderr"))
        code = await self.process.wait()
        await self.answers.put(pb.ExecSandboxResponse(exited=pb.ExecExit(code=code if code >= 0 else 128 - code)))

    async def _look(self) -> None:
        """Read the terminal until nobody has it."""
        ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        os.set_blocking(self.master, False)
        loop.add_reader(self.master, ready.set)
        try:
            while True:
                await ready.wait()
                ready.clear()
                try:
                    data = os.read(self.master, 65_536)
                except BlockingIOError:
                    continue
                except OSError:
                    return
                await self.answers.put(pb.ExecSandboxResponse(stdout=data))
        finally:
            loop.remove_reader(self.master)

    async def _pump(self, source: Any, kind: str) -> None:
        while data := await source.read(65_536):
            piece = pb.ExecSandboxResponse(stdout=data) if kind == "stdout" else pb.ExecSandboxResponse(stderr=data)
            await self.answers.put(piece)


def _resize(master: int, rows: int, columns: int) -> None:
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
