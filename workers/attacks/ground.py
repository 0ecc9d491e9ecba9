"""The sandboxes that are attacked: one that harmless attacks share, fresh ones for the others, and a sibling."""

import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from workers.attacks import intruder, neighbour
from workers.attacks.aftercare import SMALL, look_after, python
from workers.attacks.attack import Attack
from workers.attacks.attempt import CHANNEL
from workers.attacks.talk import Talk
from workers.attacks.trap import Trap
from workers.sandbox.launcher import Launcher
from workers.sandbox.process import Process
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Command, Entry, Limits, Spec
from workers.sandbox.terminal import Terminal
from workers.tier import driver_for

if TYPE_CHECKING:
    from workers.attacks.gate import Gate

SOURCES: Final = Path(__file__).parents[2]
SHOWN: Final = tuple(SOURCES / "workers" / name for name in ("attacks", "sandbox"))
INSIDE: Final = ("workers.attacks.intruder",)
PRELOAD: Final = (*INSIDE, "workers.attacks.way", "workers.sidecars.inference")
INFERENCE: Final = ("127.0.0.2", 80)
EGRESS: Final = ("127.0.0.1", 3128)
UID: Final = 299_998
"""A host uid that no agent has; the sibling has the next lower one."""

_SPARE_SECONDS: Final = 5.0
_START_SECONDS: Final = 20.0
_FIELDS: Final = {"": "pid", "_address": "address", "_descriptor": "descriptor"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A sandbox with an intruder and a neighbour in it. `places` are the bait's fields that are its own."""

    sandbox: Sandbox
    program: Talk
    places: Mapping[str, Any]


class Ground:
    """The sandboxes of one tier. Made by `opened`."""

    def __init__(self, launcher: Launcher, trap: Trap, tier: str, workspaces: Path) -> None:
        self.launcher = launcher
        self.trap = trap
        self.tier = tier
        self._workspaces = workspaces
        self._driver = driver_for(tier, launcher, INSIDE)
        self._stack = AsyncExitStack()
        self._sibling: Mapping[str, Any] = {}
        self._sibling_box: Sandbox | None = None
        self._shared: Cell | None = None
        self._others: dict[str, Talk] = {}
        self._sidecar: Process | None = None
        self._out: Cell | None = None
        self._gate: Gate | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls, launcher: Launcher, trap: Trap, tier: str, workspaces: Path) -> AsyncIterator[Self]:
        """Open what all attacks of a tier need. Raises SandboxUnavailable where this host cannot give the tier."""
        ground = cls(launcher, trap, tier, workspaces)
        async with ground._stack:
            await ground._open()
            yield ground

    @property
    def user(self) -> str:
        """Who runs the sandboxes: root or an ordinary user."""
        return "root" if self.launcher.as_root else "user"

    async def attempt(self, attack: Attack) -> dict[str, str]:
        """Make one attack and give the intruder's answer. Effects are told to the trap."""
        if attack.alone:
            return await self._attempt_alone(attack)
        if "egress" in attack.needs:
            return await self._attempt_out(attack)
        if self._shared is None or self._shared.sandbox.ended is not None:
            self._shared = await self._stack.enter_async_context(self._cell("attacked", Limits()))
            await self._serve(self._shared.sandbox)
            self._others.clear()
        if attack.start == "program":
            return await self._attack(self._shared, self._shared.program, attack)
        if attack.start not in self._others:
            self._others[attack.start] = await self._other(self._shared.sandbox, attack.start)
        talk = self._others[attack.start]
        said = await self._attack(self._shared, talk, attack)
        if shown := talk.shown():
            self.trap.saw(f"a terminal of the host shows {shown!r}")
        return said

    async def _open(self) -> None:
        secret = self.trap.secret("another agent's sandbox")
        box = await self._box("sibling", UID - 1, Limits())
        env = {"SECRET": secret, "NAME": neighbour.SIBLING}
        talk = await self._begin(box, _program(neighbour.BOOT), self._stack, env)
        found = await talk.ask(None, _START_SECONDS)
        self._sibling_box = box
        self._sibling = {"sibling": str(box.spec.workspace), "sibling_pid": _host_pid(box, found["pid"])}

    async def _attempt_alone(self, attack: Attack) -> dict[str, str]:
        name = f"alone-{attack.do.__name__.replace('_', '-')}"[:40]
        async with self._cell(name, SMALL, beside=attack.area == "processes") as cell:
            said = await self._attack(cell, cell.program, attack)
            await look_after(cell.sandbox, self._driver, self.trap)
        return said

    async def _attempt_out(self, attack: Attack) -> dict[str, str]:
        """Make an attack in the sandbox that has a way out, which is opened when it is first asked for."""
        from workers.attacks.gate import Gate

        if self._gate is None or self._out is None:
            folder = self._workspaces.parent / f"gate-{self.tier}"
            self._gate = await self._stack.enter_async_context(Gate.built(self.trap, folder))
            self._out = await self._stack.enter_async_context(self._cell("let-out", Limits(), self._gate))
            await self._gate.let(self.launcher, self._out.sandbox)
        self._gate.look()
        self.trap.effects()
        said = await self._attack(self._out, self._out.program, attack)
        self._gate.look()
        return said

    async def _attack(self, cell: Cell, talk: Talk, attack: Attack) -> dict[str, str]:
        bait = self.trap.bait(**self._sibling, **cell.places)
        job = {"attack": attack.name, "seconds": attack.seconds, "bait": bait.to_wire()}
        try:
            said = await talk.ask(job, attack.seconds + _SPARE_SECONDS)
        except (TimeoutError, OSError) as error:
            said = {"outcome": "killed", "detail": f"the attacker was ended with its attack: {error}"}
        if cell.sandbox.ended is not None:
            self.trap.saw(f"the sandbox ended: {cell.sandbox.ended}")
        if self._sidecar and self._sidecar.code is not None:
            self.trap.saw(f"the inference sidecar ended with {self._sidecar.code}")
            self._sidecar = None
        if self._sibling_box and self._sibling_box.ended is not None:
            self.trap.saw("the other agent's sandbox ended")
        return {str(key): str(value) for key, value in said.items()}

    @asynccontextmanager
    async def _cell(
        self, name: str, limits: Limits, gate: "Gate | None" = None, *, beside: bool = True
    ) -> AsyncIterator[Cell]:
        async with AsyncExitStack() as stack:
            box = await stack.enter_async_context(await self._open_box(name, UID, limits, gate))
            places = {**(gate.places if gate else {}), "limits": asdict(limits), "shown": _shown()}
            if beside:
                places |= await self._neighbour(box, stack)
            yield Cell(box, await self._begin(box, _program(intruder.BOOT), stack), places)

    async def _neighbour(self, box: Sandbox, stack: AsyncExitStack) -> dict[str, Any]:
        """Start a process beside the intruder, and give the bait's fields of it."""
        env = {"SECRET": self.trap.secret("another process of the sandbox", "inside"), "NAME": neighbour.NEIGHBOUR}
        found = await (await self._begin(box, _program(neighbour.BOOT), stack, env)).ask(None, _START_SECONDS)
        return {f"neighbour{field}": found[name] for field, name in _FIELDS.items()}

    async def _box(self, name: str, uid: int, limits: Limits) -> Sandbox:
        return await self._stack.enter_async_context(await self._open_box(name, uid, limits))

    async def _open_box(self, name: str, uid: int, limits: Limits, gate: "Gate | None" = None) -> Sandbox:
        workspace = self._workspaces / f"{name}-{self.tier}"
        self._make(workspace, uid)
        spec = Spec(
            name=name,
            workspace=workspace,
            host_uid=uid,
            listeners={"inference": INFERENCE, **({"egress": EGRESS} if gate else {})},
            limits=limits,
            read_only=SHOWN,
            bind_ports=(neighbour.PORT,),
            tier="strict" if self.tier == "strict" else "standard",
            env=gate.env if gate else {},
            files=gate.files if gate else {},
        )
        box = await self._driver.open(spec)
        left = workspace / ".left-by-another-run"
        left.write_text(self.trap.secret("an earlier run of the same agent"))
        left.chmod(0o644)
        return box

    def _make(self, workspace: Path, uid: int) -> None:
        """Make a workspace as the worker does: with a host uid of its own where that can be."""
        workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.launcher.as_root:
            os.chown(workspace, uid, uid)

    async def _serve(self, box: Sandbox) -> None:
        """Put the inference sidecar before the door to models, for no run."""
        ours, theirs = socket.socketpair()
        self._stack.callback(ours.close)
        with theirs:
            fds = {3: box.listeners["inference"].fileno(), 4: theirs.fileno()}
            self._sidecar = await self.launcher.sidecar("workers.sidecars.inference:main", fds=fds)

    async def _other(self, box: Sandbox, start: str) -> Talk:
        """Start an intruder as an entry, or on a terminal."""
        if start == "entry":
            return await self._begin(box, Entry("workers.attacks.intruder:main"), self._stack)
        return await self._begin(box, _program(intruder.BOOT), self._stack, terminal=Terminal(24, 80))

    async def _begin(
        self,
        box: Sandbox,
        what: Command | Entry,
        stack: AsyncExitStack,
        env: Mapping[str, str] | None = None,
        terminal: Terminal | None = None,
    ) -> Talk:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        stack.callback(ours.close)
        with theirs:
            process = await box.start(what, fds={CHANNEL: theirs.fileno()}, env=env, terminal=terminal)
            return Talk(ours, process)


def _shown() -> tuple[str, ...]:
    return (*map(str, SHOWN), os.path.realpath(sys.base_prefix), sys.base_prefix)


def _program(boot: str) -> Command:
    return Command((python(), "-I", "-S", "-c", boot, str(SOURCES)))


def _host_pid(box: Sandbox, inside: int) -> int:
    """Find the host's number of a process inside; that of pid 1 where it cannot be told."""
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        numbers = next((line.split()[1:] for line in lines if line.startswith("NSpid")), [])
        parents = next((line.split()[1] for line in lines if line.startswith("PPid")), "")
        if numbers[1:] == [str(inside)] and parents == str(box.pid):
            return int(numbers[0])
    return box.pid
