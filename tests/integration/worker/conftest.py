import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from signet.kit.home import Home
from signet.kit.log import get
from signet.up.memory import descendants, parents
from signet.v1 import sandboxes_pb2
from signet.work.v1 import work_pb2
from tests.fakes import door as doors
from tests.fakes import work as works
from tests.fakes.door import Door
from tests.fakes.site import Site, serving
from tests.fakes.work import Work
from workers import app
from workers.authority import Authority
from workers.options import Options
from workers.runtime import RUNTIMES
from workers.sandbox.spec import Command, Entry

HOST = "127.0.0.7"
"""Loopback, but none of what is reached around the way out."""
SCRIPTED = "tests.fakes.runtimes.scripted"
EXEC = work_pb2.Tool(
    name="exec",
    description="Run a command.",
    parameters=json.dumps(
        {
            "type": "object",
            "properties": {"command": {"type": "string"}},
            "required": ["command"],
            "additionalProperties": False,
        }
    ),
)


def script(*actions: Any) -> str:
    """Write what the scripted runtime is to do."""
    return json.dumps([[action] if isinstance(action, str) else action for action in actions])


@dataclass
class Bench:
    """A served control, a served door, and how to begin a worker on them, in this process."""

    home: Home
    work: Work
    door: Door
    options: Options

    @asynccontextmanager
    async def worker(
        self, *, runtimes: Mapping[str, Entry | Command] | None = None, **changed: Any
    ) -> AsyncIterator[asyncio.Event]:
        """Begin a worker, wait until it is registered; gives what stops it."""
        stop = asyncio.Event()
        known = runtimes or {**RUNTIMES, "scripted": Entry(f"{SCRIPTED}:main")}
        task = asyncio.create_task(self.serve(stop, known, **changed))
        count = len(self.work.registrations)
        registered = asyncio.create_task(self.work.until(lambda: len(self.work.registrations) > count))
        await asyncio.wait([task, registered], return_when=asyncio.FIRST_COMPLETED)
        try:
            if task.done():
                task.result()
            await registered
            yield stop
        finally:
            registered.cancel()
            stop.set()
            assert await task == 0

    async def serve(self, stop: asyncio.Event, runtimes: Mapping[str, Entry | Command], **changed: Any) -> int:
        """Be a worker."""
        options = replace(self.options, **changed)
        preload = (*app.PRELOAD, SCRIPTED)
        return await app.serve(self.home, options, stop, get("worker"), runtimes=runtimes, preload=preload)

    async def run(self, *actions: Any, tools: tuple[work_pb2.Tool, ...] = (EXEC,), **changed: Any) -> str:
        """Offer a run of the scripted runtime; gives its name."""
        return await self.work.offer(works.assignment(script(*actions), *tools, **changed))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    home = Home(tmp_path / "data")
    home.prepare()
    (home.tokens / "worker").write_text(works.TOKEN)
    work, door = Work(), Door()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(works.serving(work, home.socket("control.sock")))
        await stack.enter_async_context(doors.serving(door, home.socket("door.sock")))
        yield Bench(home, work, door, Options(name="bench", drain_seconds=0, router_wait_seconds=3))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Serve a site that only a policy lets a sandbox reach."""
    served = await Site().start(host=HOST)
    yield served
    await served.aclose()


async def told(bench: Bench, met: Callable[[sandboxes_pb2.Sandbox], bool]) -> sandboxes_pb2.Sandbox:
    """Wait until the worker's newest report has such a sandbox."""

    def found() -> list[sandboxes_pb2.Sandbox]:
        return [one for report in bench.work.reports[-1:] for one in report.sandboxes if met(one)]

    await bench.work.until(lambda: bool(found()))
    return found()[0]


def results(ending: object) -> list[str]:
    """Give what the calls of a scripted run got back, in order."""
    return [kept["content"] for kept in json.loads(getattr(ending, "output", "[]"))]


def execs(*commands: str) -> list[list[object]]:
    """Write a script that runs commands one after another."""
    steps: list[list[object]] = []
    for number, command in enumerate(commands):
        steps += [["call", f"c{number}", "exec", {"command": command}], ["take", 1]]
    return [*steps, ["finish"]]


@pytest.fixture
async def tls_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Serve a site over TLS, which a worker that begins in this test can verify."""
    authority = Authority.make(tmp_path / "roots.pem", "site")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    served = await Site().start(serving(authority, tmp_path, HOST), host=HOST)
    yield served
    await served.aclose()


Wait = Callable[[Callable[[], bool]], Awaitable[None]]
Begun = Callable[[str], Awaitable[set[int]]]


@pytest.fixture
def eventually() -> Wait:
    """Wait for what no event tells of, such as another process's end."""

    async def wait(met: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not met():  # noqa: ASYNC110 - no event tells of another process's end
                await asyncio.sleep(0.01)

    return wait


def inside(name: str) -> set[int]:
    """Give the processes of this machine that go by a name."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if (entry / "comm").read_text().strip() == name and state not in "ZX":
                    found.add(int(entry.name))
            except OSError:  # it ended meanwhile
                continue
    return found


def ours(name: str) -> set[int]:
    """Give those of them that this process has below it: others may run on the machine, too."""
    return inside(name) & {*descendants(os.getpid(), parents())}


@pytest.fixture
def begun(eventually: Wait) -> Begun:
    """Wait until a program of this name is ours, and give it: a shell that becomes it says what it says before that."""

    async def wait(name: str) -> set[int]:
        await eventually(lambda: bool(ours(name)))
        return ours(name)

    return wait


def children(pid: int) -> set[int]:
    """Give the descendants of a process."""
    return {*descendants(pid, parents())}


def said(pid: int) -> str:
    """Give the arguments and the environment of a process, "" where it is gone."""
    try:
        texts = [(Path("/proc") / str(pid) / name).read_bytes() for name in ("cmdline", "environ")]
    except OSError:
        return ""
    return b"".join(texts).decode("latin-1")
