"""A fleet of real programs, and what its sandboxes are seen to do from outside."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from signet.client.process import Process
from signet.up.memory import descendants, parents
from signet.v1.runs_pb2 import Run
from signet.v1.sandboxes_pb2 import SANDBOX_STATE_IDLE, Sandbox
from tests.fakes.provider import FakeProvider
from tests.harness.fleet import Fleet

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.05


@dataclass
class Town:
    """A fleet whose model does as it is told: `CALL exec {"command": …}`."""

    fleet: Fleet
    provider: FakeProvider

    async def sh(self, line: str) -> tuple[int, str]:
        """Run a line of shell in the assistant's sandbox."""
        found = await self.fleet.client.sandboxes.run("assistant", ["/bin/sh", "-c", line])
        return found.code, (found.stdout + found.stderr).decode()

    async def task(self, text: str) -> Run:
        """Have the agent do something, to its end."""
        run = await self.fleet.client.runs.create("assistant", text)
        return await self.fleet.client.runs.wait(run.name, timeout_seconds=PATIENCE_SECONDS)

    async def sandboxes(self) -> list[Sandbox]:
        """List what is open."""
        return [sandbox async for sandbox in self.fleet.client.sandboxes.list()]

    async def sandbox(self) -> Sandbox:
        """Wait until control knows of one sandbox alone, give it."""
        found: list[Sandbox] = []

        async def one() -> bool:
            found[:] = await self.sandboxes()
            return len(found) == 1

        await self.until(one)
        return found[0]

    async def idle(self) -> None:
        """Wait until control knows of nobody in any sandbox."""

        async def none() -> bool:
            return all(one.state == SANDBOX_STATE_IDLE for one in await self.sandboxes())

        await self.until(none)

    async def events(self, sandbox: str) -> list[str]:
        """Give the events in a sandbox's log."""
        return [line.event async for line in self.fleet.client.sandboxes.logs(sandbox)]

    def workspace(self) -> Path:
        """Give the folder of the assistant."""
        return self.fleet.home.workspaces / "assistant"

    async def inside(self, words: str) -> list[int]:
        """Find the processes below the worker that run these words, as the host numbers them."""
        worker = await self.fleet.pid("worker")
        return [pid for pid in descendants(worker, parents()) if words in _words(pid)]

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait until something is seen to hold."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await holds():  # noqa: ASYNC110 - the fleet answers, it does not call
                await asyncio.sleep(LOOK_SECONDS)


class Screen:
    """What a command writes, read up to one text after the other."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._unread = bytearray()

    async def until(self, text: bytes) -> None:
        """Read on, past the next such text."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while text not in self._unread:
                self._unread += await self._more()
        del self._unread[: self._unread.index(text) + len(text)]

    async def _more(self) -> bytes:
        async for piece in self._process.pieces():
            return piece.data
        raise AssertionError(bytes(self._unread))


def _words(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def name_of(pid: int) -> str:
    """Give what a process calls itself."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def end(pid: int, number: int) -> None:
    """Signal a process of the fleet of this test."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with FakeProvider() as provider, Fleet(provider=provider.base_url, model="fake-small") as fleet:
        yield Town(fleet, provider)
