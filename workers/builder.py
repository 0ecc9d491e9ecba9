"""Opens cells: the sandbox that a policy asks for, and what belongs beside it."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from signet.kit.log import Log
from workers import egress
from workers.approvals import Approvals
from workers.authority import Authority
from workers.cell import Cell, Parts
from workers.children import Children
from workers.egress import Egress, EgressRefused
from workers.logbook import Line
from workers.placeholders import Placeholders
from workers.policies import Permissions, spec
from workers.questions import Questions
from workers.reserved import Reserved
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher
from workers.sandbox.sandbox import Sandbox
from workers.sidecar import Sidecar
from workers.tier import driver_for
from workers.ways import Loaded, Ways
from workers.workspace import Workspaces

INFERENCE = ("127.0.0.2", 80)
NAME_CHARACTERS = 40
"""How much of an agent's name is in that of its sandboxes."""


class Builder:
    """Opens cells. `bundles` is the folder of the certificates that are shown inside.

    `door` is the router's and `control` control's, unix:/path or host:port: ports that no sandbox reaches. `reserved`
    are the folders that no policy may show.
    """

    def __init__(
        self,
        launcher: Launcher,
        workspaces: Workspaces,
        approvals: Approvals,
        log: Log,
        *,
        bundles: Path,
        door: str,
        preload: Sequence[str],
        control: str = "",
        reserved: Reserved | None = None,
    ) -> None:
        self._launcher = launcher
        self._workspaces = workspaces
        self._approvals = approvals
        self._log = log
        self._bundles = bundles
        self._door = door
        self._ports = (*egress.PORTS, *(int(port) for port in map(_port, (door, control)) if port))
        self._preload = preload
        self._reserved = reserved or Reserved()
        self._numbers = itertools.count(1)

    async def open(self, permissions: Permissions) -> Cell:
        """Open one, with its policy in force. Raises SandboxUnavailable."""
        name = f"{permissions.agent[:NAME_CHARACTERS].strip('-')}-{next(self._numbers)}"
        listeners = {"inference": INFERENCE, "egress": egress.LISTENER}
        bundle = self._bundle(name)
        opening = asyncio.create_task(self._sandbox(name, permissions, listeners, bundle))
        try:
            await asyncio.sleep(0)  # the zygote forks while the authority is made; nothing runs inside before both are
            authority = Authority.make(bundle, name)
        except OSError as error:
            await _undone(opening)
            raise SandboxUnavailable(f"{bundle}: {error.strerror}.", layer="authority") from error
        try:
            sandbox = await opening
        except BaseException:
            await _undone(opening)
            bundle.unlink(missing_ok=True)
            raise
        cell = await self.around(sandbox, permissions, authority, Placeholders())
        cell.logbook.write("opened", f"tier {permissions.policy.tier}, {permissions.name} {permissions.version}")
        return cell

    def skip(self, number: int) -> None:
        """Let no sandbox have a number up to this one: those are taken."""
        self._numbers = itertools.count(max(number + 1, next(self._numbers)))

    async def around(
        self,
        sandbox: Sandbox,
        permissions: Permissions,
        authority: Authority,
        placeholders: Placeholders,
        log: Sequence[Line] = (),
    ) -> Cell:
        """Make a cell around an open sandbox, which is closed where that fails. Raises SandboxUnavailable."""
        sidecar = Sidecar(self._launcher, sandbox.listeners["inference"], self._log)
        ways = Ways(self._door)
        numbers = itertools.count(1)

        def out(where: Sandbox) -> Egress:
            return Egress(
                self._launcher,
                where,
                where.listeners["egress"],
                authority,
                self._log,
                placeholders=placeholders,
                decided=cell.decided,
                ask=cell.asked,
                ports=self._ports,
            )

        async def child() -> Sandbox:
            name = f"{sandbox.name}-{next(numbers)}"
            return await self._sandbox(name, cell.permissions, {"egress": egress.LISTENER}, authority.bundle)

        strict = permissions.policy.tier == "strict"
        parts = Parts(
            sandbox=sandbox,
            sidecar=sidecar,
            authority=authority,
            placeholders=placeholders,
            ways=ways,
            questions=Questions(self._approvals, permissions.agent),
            children=Children(child, out, ways) if strict else None,
        )
        cell = Cell(permissions, parts, log)
        try:
            await ways.add(out(sandbox))
            await ways.load(Loaded(permissions, permissions.applying()))
            await sidecar.start()
        except EgressRefused as error:
            await cell.aclose()
            raise SandboxUnavailable(f"{error}.", layer="egress") from error
        except BaseException:
            await cell.aclose()
            raise
        return cell

    def _bundle(self, name: str) -> Path:
        """Make the file that is shown inside, still empty."""
        bundle = self._bundles / f"{name}.pem"
        try:
            self._bundles.mkdir(mode=0o700, parents=True, exist_ok=True)
            bundle.touch()
        except OSError as error:
            raise SandboxUnavailable(f"{bundle}: {error.strerror}.", layer="authority") from error
        return bundle

    async def _sandbox(
        self,
        name: str,
        permissions: Permissions,
        listeners: Mapping[str, tuple[str, int]],
        bundle: Path,
    ) -> Sandbox:
        agent, policy = permissions.agent, permissions.policy
        driver = driver_for(policy.tier, self._launcher, self._preload)
        try:
            workspace, uid = self._workspaces.of(agent)
        except OSError as error:
            raise SandboxUnavailable(
                f"{self._workspaces.root / agent}: {error.strerror}.", layer="workspace"
            ) from error
        self._reserved.check(policy.filesystem, workspace)
        try:
            asked = spec(
                policy,
                name=name,
                workspace=workspace,
                uid=uid,
                listeners=listeners,
                env=egress.environment({}),
                files={egress.BUNDLE: bundle},
            )
        except ValueError as error:
            raise SandboxUnavailable(f"{error}", layer="policy") from error
        return await driver.open(asked)


def _port(target: str) -> str:
    port = target.rpartition(":")[2]
    return port if port.isdecimal() else ""


async def _undone(opening: "asyncio.Task[Sandbox]") -> None:
    """Give up a sandbox that is being opened."""
    opening.cancel()
    await asyncio.wait([opening])
    if not opening.cancelled() and opening.exception() is None:
        await opening.result().aclose()
