"""A pool of real sandboxes, and people who want into them."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from signet.kit import dial
from signet.kit.log import get
from signet.policy.canonical import dump
from signet.policy.document import parse
from signet.v1 import policies_pb2, sandboxes_pb2
from signet.work.v1 import work_pb2
from tests.fakes import relay as relays
from tests.fakes.relay import Call, Relay
from workers.approvals import Approvals
from workers.attach import Attach
from workers.builder import Builder
from workers.control import Control
from workers.pool import Pool
from workers.sandbox.launcher import Launcher
from workers.workspace import Workspaces

PRELOAD = ("workers.tools.archive", "workers.sidecars.inference", "workers.sidecars.egress.main")


@dataclass
class Lodge:
    """A worker's insides: sandboxes in `pool`, and `attach`, which serves the callers of `relay`."""

    folder: Path
    launcher: Launcher
    control: Control
    pool: Pool
    attach: Attach
    relay: Relay
    policy: str = "version: 1\n"
    _calls: list[Call] = field(default_factory=list)

    def order(self, agent: str = "scribe") -> work_pb2.PolicyOrder:
        """Give what is in force."""
        document = dump(parse(self.policy))
        policy = policies_pb2.EffectivePolicy(
            agent=f"agents/{agent}", policy="policies/default", version=1, document=document, digest=str(hash(document))
        )
        return work_pb2.PolicyOrder(policy=policy)

    def call(self, target: str = "agents/scribe", **order: Any) -> Call:
        """Have somebody wait for a sandbox, and the worker told."""
        call = self.relay.call(target, policy=self.order(), **order)
        self._calls.append(call)
        self.attach.take(call.order)
        return call

    async def run(self, *argv: str, target: str = "agents/scribe", **asked: Any) -> Call:
        """Have somebody run a command."""
        call = self.call(target)
        command = sandboxes_pb2.ExecCommand(argv=argv, **asked)
        await call.say(start=sandboxes_pb2.ExecStart(target=target, command=command))
        return call

    async def sh(self, line: str, **asked: Any) -> tuple[int, str]:
        """Run a line of shell to its end; its exit code and its output."""
        call = await self.run("/bin/sh", "-c", line, **asked)
        exited = await call.end()
        return exited.code, call.out.decode()

    async def idle(self) -> None:
        """Wait until nobody is in any sandbox."""
        async with asyncio.timeout(relays.PATIENCE_SECONDS):
            while not all(cell.idle for cell in self.pool.cells):
                self.pool.changed.clear()
                await self.pool.changed.wait()

    @property
    def workspace(self) -> Path:
        """The folder of the agent."""
        return self.folder / "workspaces" / "scribe"


@asynccontextmanager
async def lodging() -> AsyncIterator[Lodge]:
    """Open a worker's insides."""
    folder = Path(tempfile.mkdtemp(prefix="sg-", dir="/tmp"))
    folder.chmod(0o755)  # noqa: ASYNC240 - a test's own
    (folder / "workspaces").mkdir()
    relay, log = Relay(), get("test")  # type: ignore[abstract]  # the worker calls nothing else here
    try:
        async with (
            relays.serving(relay, folder / "control.sock") as target,
            dial.channel(target, "sgt_worker") as channel,
            await Launcher.start(PRELOAD) as launcher,
        ):
            control = Control(channel, "workers/here")
            builder = Builder(
                launcher,
                Workspaces(folder / "workspaces"),
                Approvals(control),
                log,
                bundles=folder / "bundles",
                door=f"unix:{folder}/door.sock",
                preload=("workers.tools.archive",),
            )
            pool = Pool(builder, most_warm=8, idle_seconds=60)
            attach = Attach(control, pool, log)
            try:
                yield Lodge(folder, launcher, control, pool, attach, relay)
            finally:
                await attach.aclose()
                await pool.aclose()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
async def lodge() -> AsyncIterator[Lodge]:
    async with lodging() as open_one:
        yield open_one
