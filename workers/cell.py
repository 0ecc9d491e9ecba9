"""A cell: one sandbox, the sidecars beside it, and what is in force in it; for one run at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from signet.kit.times import now_micros
from signet.policy.decision import Attempt, Decision, GrantView
from signet.v1 import events_pb2
from workers import questions
from workers.authority import Authority
from workers.children import Children
from workers.clock import now
from workers.decisions import Decisions
from workers.egress import Decided, EgressRefused
from workers.guest import Guest
from workers.kept import Kept
from workers.logbook import Line, Logbook
from workers.place import Place
from workers.placeholders import Placeholders
from workers.policies import Permissions
from workers.questions import Questions
from workers.quota import Quota
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.process import Process
from workers.sandbox.report import Report
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Command, Entry
from workers.sidecar import Sidecar
from workers.ways import Loaded, Ways

_STATES = {
    "enforced": events_pb2.ISOLATION_STATE_ENFORCED,
    "partial": events_pb2.ISOLATION_STATE_PARTIAL,
    "absent": events_pb2.ISOLATION_STATE_ABSENT,
}


@dataclass(frozen=True)
class Parts:
    """What a cell is made of. `questions` are its visitors'; `children` where tool calls have their own sandboxes."""

    sandbox: Sandbox
    sidecar: Sidecar
    authority: Authority
    placeholders: Placeholders
    ways: Ways
    questions: Questions
    children: Children | None = None


class Cell:
    """A sandbox of one agent, with what is in force in it.

    `warm` says whether a run was in it before, `guest` is the one that is in it now. `visitors` are people's commands
    in it; a run never begins where one is. `opened` is when, in microseconds since 1970. `permissions` is what it has
    loaded; `problem` is why a newer version, `problem_version`, could not be.
    """

    def __init__(self, permissions: Permissions, parts: Parts, log: Sequence[Line] = ()) -> None:
        self.agent = permissions.agent
        self.permissions = permissions
        self.static = permissions.static
        self.problem = ""
        self.problem_version = 0
        self.sandbox = parts.sandbox
        self.sidecar = parts.sidecar
        self.logbook = Logbook(log)
        self.quota = Quota(parts.sandbox, most_bytes=permissions.policy.resources.disk_bytes, told=self._full)
        self.guest: Guest | None = None
        self.warm = False
        self.visitors = 0
        self.stopping = False
        self.door = asyncio.Lock()
        """Held by whoever enters or leaves as a visitor, cleaning included."""
        self.opened = now_micros()
        self.idle_since = now()
        self._parts = parts
        self._children = parts.children
        self._decisions = Decisions(self._decided)
        self._cleaning = False

    @property
    def run(self) -> str:
        """The run in it, `runs/{run}`; "" for none, also while what one left is cleaned up."""
        return self.guest.name if self.guest and not self._cleaning else ""

    @property
    def alive(self) -> bool:
        """Whether it can take a run."""
        return self.sandbox.ended is None and not self.stopping

    @property
    def idle(self) -> bool:
        """Whether neither a run nor a person is in it."""
        return self.guest is None and not self.visitors

    @property
    def outdated(self) -> bool:
        """Whether what it loaded asks for another sandbox than this."""
        return self.permissions.static != self.static

    @property
    def restarts(self) -> int:
        """How often its sidecars were started anew after a crash."""
        return self.sidecar.restarts + self._parts.ways.restarts

    @property
    def grants(self) -> Sequence[GrantView]:
        """The grants that reach whoever is in it."""
        return _reaching(self.permissions, self.guest)

    @property
    def env(self) -> Mapping[str, str]:
        """What processes find in their environment by the policy in force, which may be newer than the sandbox."""
        return self._parts.placeholders.env(self.permissions.policy)

    def suits(self, permissions: Permissions) -> bool:
        """Whether a run of the same agent under these permissions may be in it."""
        return self.alive and self.static == permissions.static

    def enter(self, guest: Guest) -> None:
        """Let a run in."""
        self.guest = guest
        self._cleaning = False

    def leave(self) -> None:
        """Let the run out."""
        self.guest = None
        self.idle_since = now()

    async def load(self, permissions: Permissions, *, tell: bool = True) -> bool:
        """Put these in force, as far as they need no new sandbox; the run in it is told with `tell`.

        False where they cannot be, `problem` says why; what was in force before stays.
        """
        try:
            closed = await self._load(permissions, self.guest)
        except EgressRefused as error:
            self.refuse(permissions.version, str(error))
            return False
        changed = permissions.digest != self.permissions.digest
        self.permissions = permissions
        await self.sidecar.renew(permissions.secrets_token)
        self.problem, self.problem_version = "", 0
        if changed:
            if self.guest and tell:
                self.guest.loaded(permissions, closed)
            text = f"{permissions.name} version {permissions.version} is in force"
            self.logbook.write("policy_loaded", f"{text}; {closed} connections were closed for it")
        return True

    def refuse(self, version: int, problem: str) -> None:
        """Note why a version could not be put in force."""
        self.problem, self.problem_version = problem, version
        self.logbook.write("policy_problem", problem)

    async def start(self, what: Entry | Command, *, fds: Mapping[int, int]) -> Process:
        """Start a process in it. Raises as Sandbox.start does."""
        return await self.sandbox.start(what, fds=fds, env=self.env)

    @contextlib.asynccontextmanager
    async def tool(self) -> AsyncIterator[Place]:
        """Give where one tool call runs. Raises SandboxUnavailable."""
        if self._children is None:
            yield self
        else:
            async with self._children.child(self.env) as child:
                yield child

    def decided(self, decided: Decided) -> None:
        """Hear what its egress, or that of a tool call's own sandbox, decided."""
        self._decisions.note(decided)
        if self.guest:
            self.guest.decisions.note(decided)

    async def asked(self, attempt: Attempt, _: Decision) -> str:
        """Put a question for its egress, in the name of the run in it; gives the approval's name, "" for none."""
        asking = self.guest.questions if self.guest else self._parts.questions
        return await asking.put(questions.of_connection(attempt, self.permissions.policy, self.agent))

    async def clean(self) -> None:
        """Kill all that a run or a visitor left, and keep the rest for the next. Raises SandboxUnavailable.

        No grant that was the run's alone is in force when this returns, and all that its egress decided was heard.
        """
        self._cleaning = True
        await self.sandbox.clear()
        try:
            await self._parts.ways.heard()
            await self._load(self.permissions, None)
        except EgressRefused as error:
            raise SandboxUnavailable(f"{error}.", layer="egress") from error
        self.warm = True

    async def part(self) -> Kept:
        """Leave the sandbox alone, and say what whoever goes on with it has to know."""
        await self._aside()
        parts, held = self._parts, self.permissions
        return Kept(
            sandbox=self.sandbox.name,
            order=held.order().SerializeToString(),
            static=self.static,
            bundle=str(parts.authority.bundle),
            authority=parts.authority.saved(),
            seed=parts.placeholders.seed,
            opened=self.opened,
            warm=self.warm,
            log=self.logbook.lines,
        )

    def go_on(self, kept: Kept) -> None:
        """Be the cell that was kept."""
        self.static, self.opened, self.warm = kept.static, kept.opened, kept.warm
        self.logbook.write("kept", "the worker was restarted, and the sandbox was not")

    async def aclose(self) -> None:
        """Kill everything in it."""
        self.stopping = True
        with contextlib.suppress(SandboxUnavailable):  # the zygote, or its end, does the rest
            await self.sandbox.aclose()
        await self._aside()
        self.logbook.write("closed", self.sandbox.ended or "")
        self.logbook.close()
        self._parts.authority.bundle.unlink(missing_ok=True)

    async def _aside(self) -> None:
        """End what is beside the sandbox."""
        await self._parts.ways.aclose()
        await self.sidecar.aclose()
        await self.quota.aclose()
        await self._parts.questions.aclose()
        self._decisions.flush()

    async def _load(self, permissions: Permissions, guest: Guest | None) -> int:
        run = guest.name if guest else ""
        return await self._parts.ways.load(Loaded(permissions, _reaching(permissions, guest), run))

    def _decided(self, decided: Decided, count: int) -> None:
        what = " ".join(filter(None, (decided.method, f"{decided.host}:{decided.port}{decided.path}")))
        who = f" by {decided.binary}" if decided.binary else ""
        often = f", {count} times" if count > 1 else ""
        self.logbook.write("egress", f"{decided.verdict} {what}{who}{often}: {decided.reason} ({decided.rule})")

    def _full(self, message: str) -> None:
        """Hear that the workspace takes too much; all that runs in the sandbox is being killed."""
        self.logbook.write("disk", message)
        if self.guest:
            self.guest.uploader.add(notice=events_pb2.Notice(code="workspace_full", message=message))
        if self._children:
            self._children.clear()


def _reaching(permissions: Permissions, guest: Guest | None) -> tuple[GrantView, ...]:
    return permissions.applying(guest.name, guest.session) if guest else permissions.applying()


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
