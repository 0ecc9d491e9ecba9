"""Tool calls in sandboxes of their own, beside the cell's and over the same workspace: the tier `strict`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from workers.egress import Egress, EgressRefused
from workers.place import Place
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.process import Process
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Command, Entry
from workers.ways import Ways


class Child:
    """A sandbox for one tool call."""

    def __init__(self, sandbox: Sandbox, env: Mapping[str, str]) -> None:
        self._sandbox = sandbox
        self._env = env

    async def start(self, what: Entry | Command, *, fds: Mapping[int, int]) -> Process:
        """Start a process in it. Raises as Sandbox.start does."""
        return await self._sandbox.start(what, fds=fds, env=self._env)


class Children:
    """The children of one cell. `opened` opens a sandbox for one, `out` makes its way out."""

    def __init__(self, opened: Callable[[], Awaitable[Sandbox]], out: Callable[[Sandbox], Egress], ways: Ways) -> None:
        self._opened = opened
        self._out = out
        self._ways = ways
        self._open: set[Sandbox] = set()
        self._clearing: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def child(self, env: Mapping[str, str]) -> AsyncIterator[Place]:
        """Have one for as long as a tool call runs; all that it started dies with it. Raises SandboxUnavailable."""
        sandbox = await self._opened()
        self._open.add(sandbox)
        way: Egress | None = None
        try:
            way = self._out(sandbox)
            await self._ways.add(way)
            yield Child(sandbox, env)
        except EgressRefused as error:
            raise SandboxUnavailable(f"{error}.", layer="egress") from error
        finally:
            self._open.discard(sandbox)
            if way:
                await self._ways.remove(way)
            await sandbox.aclose()

    def clear(self) -> None:
        """Kill what runs in them."""
        for sandbox in self._open:
            task = asyncio.create_task(_cleared(sandbox))
            self._clearing.add(task)
            task.add_done_callback(self._clearing.discard)


async def _cleared(sandbox: Sandbox) -> None:
    with contextlib.suppress(SandboxUnavailable):  # then it is closed already
        await sandbox.clear()
