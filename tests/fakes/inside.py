"""Runs what a sandbox would run, as a process of its own with a socket on fd 3, and speaks JSON lines with it."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 30
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Inside:
    """The process and the worker's end of its socket."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, frame: dict[str, Any]) -> None:
        """Write a frame."""
        await self.send_raw(json.dumps(frame).encode() + b"\n")

    async def send_raw(self, line: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(line)
        await self.writer.drain()

    async def read(self) -> dict[str, Any] | None:
        """Return the next frame, None at the end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            line = await self.reader.readline()
        frame: dict[str, Any] | None = json.loads(line) if line else None
        return frame

    async def rest(self) -> list[dict[str, Any]]:
        """Return all frames until the end."""
        frames = []
        while (frame := await self.read()) is not None:
            frames.append(frame)
        return frames

    async def ended(self) -> int:
        """Wait for the process, return its exit code."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()

    def kill(self) -> None:
        """Kill its process group, as the worker does."""
        os.killpg(self.process.pid, signal.SIGKILL)

    async def errors(self) -> str:
        """Return what it wrote to its log."""
        if self.process.stderr is None:
            return ""
        return (await self.process.stderr.read()).decode()


@asynccontextmanager
async def inside(module: str, folder: Path) -> AsyncIterator[Inside]:
    """Start a module's main() in a folder."""
    ours, theirs = socket.socketpair()
    program = f"import os,sys;os.dup2({theirs.fileno()},3);import {module} as m;m.main()"
    with theirs:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)},
            pass_fds=(theirs.fileno(),),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    reader, writer = await asyncio.open_connection(sock=ours, limit=8 * 1024 * 1024)
    running = Inside(process, reader, writer)
    try:
        yield running
    finally:
        writer.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # also what it left behind
        await running.errors()  # to its end, so that the pipe is closed
        await process.wait()
