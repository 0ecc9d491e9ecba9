"""A launcher and a folder to try sandboxes in. Standard library only: an ordinary user's Python may have no more."""

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

from workers.sandbox.launcher import Launcher
from workers.sandbox.process import Process
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Command, Entry, Spec

INSIDE = "tests.integration.sandbox.inside"
DEADLINE_SECONDS = 20.0
_AHEAD = "signet-standby\n"

Kind = TypeVar("Kind", bound=Exception)


class House:
    """One launcher over one folder."""

    def __init__(self, launcher: Launcher, folder: Path) -> None:
        self.launcher = launcher
        self.folder = folder
        self._uids = itertools.count(200_001)

    @classmethod
    @asynccontextmanager
    async def standing(cls, folder: Path) -> AsyncIterator[Self]:
        """Stand up a house that is torn down at the end, whatever happens."""
        async with await Launcher.start((INSIDE,), env={"FOR_SIDECARS": "1"}) as launcher:
            yield cls(launcher, folder)

    def spec(self, **wanted: Any) -> Spec:
        """Give a spec with a workspace and a host uid of its own, unless said otherwise."""
        uid = next(self._uids)
        plain = Spec(name=f"box-{uid}", workspace=self.folder / f"workspace-{uid}", host_uid=uid)
        return replace(plain, **wanted)

    async def open(self, **wanted: Any) -> Sandbox:
        """Open a sandbox."""
        return await self.launcher.open(self.spec(**wanted))


async def run(sandbox: Sandbox, what: Entry | Command | str, **wanted: Any) -> tuple[int, str]:
    """Run something to its end: its exit code and what it wrote to 1 and 2. A string is a line for the shell."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        process, output = await begin(sandbox, what, **wanted)
        text = (await output.read()).decode()
        return await process.wait(), text


async def begin(sandbox: Sandbox, what: Entry | Command | str, **wanted: Any) -> tuple[Process, asyncio.StreamReader]:
    """Start something and give its output to read."""
    reader, writer = os.pipe()
    output = await _stream(reader)
    what = Command(("/bin/sh", "-c", what)) if isinstance(what, str) else what
    try:
        process = await sandbox.start(what, fds={1: writer, 2: writer}, **wanted)
    finally:
        os.close(writer)
    return process, output


async def ask(sandbox: Sandbox, function: str, env: Mapping[str, str] | None = None) -> Any:
    """Call a function of `inside` in the sandbox and give back what it found."""
    code, text = await run(sandbox, Entry(f"{INSIDE}:{function}"), env=env or {})
    assert code == 0, text
    return json.loads(text)


async def _stream(fd: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", 0))
    return reader


async def refused(attempt: Awaitable[object], kind: type[Kind]) -> Kind:
    """Await what has to fail, and give back how it did."""
    try:
        await attempt
    except kind as error:
        return error
    raise AssertionError(f"nothing was refused, where a {kind.__name__} was due")


def children(pid: int) -> list[int]:
    """List the children of a process, those too that wait to be reaped, but not the sandbox ahead of the next wish."""
    return [child for child in _children(pid) if _name(child) != _AHEAD]


async def waiting(house: House) -> int:
    """Wait until there is a sandbox ahead of the next wish, and it has done what it can; its pid."""
    zygote = house.launcher.pid
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            if found := [child for child in _children(zygote) if _name(child) == _AHEAD and asleep(child)]:
                return found[0]
            await asyncio.to_thread(os.sched_yield)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def asleep(pid: int) -> bool:
    """Whether a process waits for something to do."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def polls(pid: int) -> bool:
    """Whether it waits for the next of several things: in `poll`, where the kernel says in what a process waits."""
    waits = Path(f"/proc/{pid}/wchan").read_text()
    return asleep(pid) and (waits == "0" or "poll" in waits)
