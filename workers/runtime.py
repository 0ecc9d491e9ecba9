"""A runtime's process: the run goes in as a frame, frames come out, and its end is explained."""

import asyncio
import os
import signal
from collections.abc import Mapping

from workers.cell import Cell
from workers.frames import Frames, pair
from workers.sandbox.process import Process
from workers.sandbox.spec import Command, Entry

RUNTIMES: Mapping[str, Entry | Command] = {"builtin": Entry("workers.runtimes.builtin.main:main")}
"""The runtimes that a worker has, by name."""
TAIL_BYTES = 4096
OUTPUT_BYTES = 16 * 1024 * 1024
"""Most bytes that a runtime may write to standard output and error."""
DEATH_SECONDS = 2.0


class RuntimeMissing(Exception):
    """The worker has no such runtime, or cannot start it."""


class Tail:
    """The end of what a process writes to a pipe."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(self.writing, True)
        self._text = bytearray()
        self._seen = 0
        self.flooded = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._reading, self.read)

    def read(self) -> None:
        """Take what is there."""
        try:
            data = os.read(self._reading, 65536)
        except BlockingIOError:
            return
        self._seen += len(data)
        self._text = (self._text + data)[-TAIL_BYTES:]
        if self._seen > OUTPUT_BYTES:
            self.flooded.set()
        if not data or self.flooded.is_set():
            asyncio.get_running_loop().remove_reader(self._reading)

    def text(self, lines: int = 12) -> str:
        """Give the last lines."""
        return "\n".join(self._text.decode("utf-8", "replace").splitlines()[-lines:])

    def close(self) -> None:
        """Read no more."""
        asyncio.get_running_loop().remove_reader(self._reading)
        os.close(self._reading)


class Runtime:
    """One process of a runtime, and the socket to it."""

    def __init__(self, process: Process, frames: Frames, tail: Tail) -> None:
        self.frames = frames
        self.tail = tail
        self._process = process
        self._exit = asyncio.create_task(self._watch())

    @classmethod
    async def start(cls, cell: Cell, what: Entry | Command) -> "Runtime":
        """Start it. Raises SandboxUnavailable, RuntimeMissing."""
        ours, theirs = pair()
        tail = Tail()
        try:
            with theirs:
                fds = {1: tail.writing, 2: tail.writing, 3: theirs.fileno()}
                process = await cell.start(what, fds=fds)
        except BaseException as error:
            ours.close()
            tail.close()
            if isinstance(error, ValueError | OSError):
                raise RuntimeMissing(f"the runtime could not be started: {error}") from error
            raise
        finally:
            os.close(tail.writing)
        return cls(process, Frames(ours), tail)

    async def death(self) -> str:
        """Say how it ended, for people; one that closed its socket and lives on is killed."""
        try:
            async with asyncio.timeout(DEATH_SECONDS):
                code = await self._process.wait()
        except TimeoutError:
            await self._process.signal(signal.SIGKILL)
            how = "closed its socket and ran on"
        else:
            how = f"was killed by {_signal(-code)}" if code < 0 else f"ended with exit code {code}"
        self.tail.read()
        last = self.tail.text()
        return f"the runtime {how} before it finished" + (f". Its last words:\n{last}" if last else "")

    async def aclose(self) -> None:
        """Close this side."""
        self._exit.cancel()
        await asyncio.wait([self._exit])
        self.frames.close()
        self.tail.close()

    async def _watch(self) -> None:
        ended = asyncio.create_task(self._process.wait())
        flooded = asyncio.create_task(self.tail.flooded.wait())
        try:
            await asyncio.wait([ended, flooded], return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._process.signal(signal.SIGKILL)
                await ended
        finally:
            ended.cancel()
            flooded.cancel()
        self.frames.end()  # a child that holds the socket open does not speak for it


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
