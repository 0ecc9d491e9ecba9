"""A cell: one sandbox and the sidecar beside it, for one run at a time."""

import asyncio
import contextlib
import itertools

from signet.kit.log import Log
from signet.kit.times import now_micros
from signet.v1 import events_pb2
from workers.clock import now
from workers.policies import Permissions
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher
from workers.sandbox.report import Report
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Spec
from workers.sidecar import Sidecar
from workers.workspace import Workspaces

INFERENCE = ("127.0.0.2", 80)
_STATES = {
    "enforced": events_pb2.ISOLATION_STATE_ENFORCED,
    "partial": events_pb2.ISOLATION_STATE_PARTIAL,
    "absent": events_pb2.ISOLATION_STATE_ABSENT,
}


class Cell:
    """A sandbox of one agent, with what is in force in it.

    `warm` says whether a run was in it before, `run` and `session` which is in it now, "" for none. `visitors` are
    people's commands in it; a run never begins where one is. `opened` is when, in microseconds since 1970.
    `permissions` is what it has loaded, and `problem` why something newer could not be.
    """

    def __init__(self, permissions: Permissions, sandbox: Sandbox, sidecar: Sidecar) -> None:
        self.agent = permissions.agent
        self.permissions = permissions
        self.static = permissions.static
        self.problem = ""
        self.sandbox = sandbox
        self.sidecar = sidecar
        self.warm = False
        self.run = ""
        self.session = ""
        self.visitors = 0
        self.stopping = False
        self.door = asyncio.Lock()
        """Held by whoever enters or leaves as a visitor, cleaning included."""
        self.opened = now_micros()
        self.idle_since = now()

    @property
    def alive(self) -> bool:
        """Whether it can take a run."""
        return self.sandbox.ended is None and not self.stopping

    @property
    def idle(self) -> bool:
        """Whether neither a run nor a person is in it."""
        return not self.run and not self.visitors

    @property
    def outdated(self) -> bool:
        """Whether what it loaded asks for another sandbox than this."""
        return self.permissions.static != self.static

    @property
    def restarts(self) -> int:
        """How often its sidecars were started anew after a crash."""
        return self.sidecar.restarts

    def suits(self, permissions: Permissions) -> bool:
        """Whether a run of the same agent under these permissions may be in it."""
        return self.alive and self.static == permissions.static

    def enter(self, run: str, session: str) -> None:
        """Let a run in."""
        self.run, self.session = run, session

    def leave(self) -> None:
        """Let the run out."""
        self.run = self.session = ""
        self.idle_since = now()

    async def load(self, permissions: Permissions) -> int:
        """Put these in force, as far as they need no new sandbox; gives how many connections were closed for it."""
        self.permissions = permissions
        self.problem = ""
        return 0

    async def clean(self) -> None:
        """Kill all that a run or a visitor left, and keep the rest for the next. Raises SandboxUnavailable."""
        await self.sandbox.clear()
        self.warm = True

    async def aclose(self) -> None:
        """Kill everything in it."""
        self.stopping = True
        with contextlib.suppress(SandboxUnavailable):  # the zygote, or its end, does the rest
            await self.sandbox.aclose()
        await self.sidecar.aclose()


class Builder:
    """Opens cells."""

    def __init__(self, launcher: Launcher, workspaces: Workspaces, log: Log) -> None:
        self._launcher = launcher
        self._workspaces = workspaces
        self._log = log
        self._numbers = itertools.count(1)

    async def open(self, permissions: Permissions) -> Cell:
        """Open one. Raises SandboxUnavailable."""
        agent = permissions.agent
        try:
            workspace, uid = self._workspaces.of(agent)
        except OSError as error:
            raise SandboxUnavailable(
                f"{self._workspaces.root / agent}: {error.strerror}.", layer="workspace"
            ) from error
        name = f"{agent[:40].strip('-')}-{next(self._numbers)}"
        spec = Spec(name=name, workspace=workspace, host_uid=uid, listeners={"inference": INFERENCE})
        sandbox = await self._launcher.open(spec)
        sidecar = Sidecar(self._launcher, sandbox.listeners["inference"], self._log)
        try:
            await sidecar.start()
        except BaseException:
            await sandbox.aclose()
            raise
        return Cell(permissions, sandbox, sidecar)


def isolation(report: Report) -> events_pb2.IsolationReport:
    """Put a report on the wire."""
    return events_pb2.IsolationReport(
        layers=[
            events_pb2.IsolationLayer(name=layer.name, state=_STATES[layer.state], detail=layer.detail)
            for layer in report.layers
        ]
    )


def missing(error: SandboxUnavailable) -> events_pb2.IsolationReport:
    """Report the layer for want of which no sandbox opens here."""
    layer = events_pb2.IsolationLayer(
        name=error.layer, state=events_pb2.ISOLATION_STATE_ABSENT, detail=f"{error.reason} {error.hint}".strip()
    )
    return events_pb2.IsolationReport(layers=[layer])
