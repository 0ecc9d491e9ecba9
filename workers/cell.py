"""A cell: one sandbox and the sidecar beside it, for one run at a time."""

import contextlib
import itertools

from signet.kit.log import Log
from signet.v1 import events_pb2
from workers.clock import now
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
    """A sandbox of one agent. `warm` says whether a run was in it before."""

    def __init__(self, agent: str, sandbox: Sandbox, sidecar: Sidecar) -> None:
        self.agent = agent
        self.sandbox = sandbox
        self.sidecar = sidecar
        self.warm = False
        self.idle_since = 0.0

    @property
    def alive(self) -> bool:
        """Whether it can take a run."""
        return self.sandbox.ended is None

    async def clean(self) -> None:
        """Kill all that a run left, and keep the rest for the next. Raises SandboxUnavailable."""
        await self.sandbox.clear()
        self.warm = True
        self.idle_since = now()

    async def aclose(self) -> None:
        """Kill everything in it."""
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

    async def open(self, agent: str) -> Cell:
        """Open one. Raises SandboxUnavailable."""
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
        return Cell(agent, sandbox, sidecar)


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
