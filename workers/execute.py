"""One run, from its claim to its end: a cell, the sidecar armed, the runtime heard, the ending stored."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from signet.kit.log import Log
from signet.v1 import events_pb2, runs_pb2
from signet.work.v1 import work_pb2
from workers.approvals import Approvals
from workers.cell import Cell, isolation
from workers.clock import now
from workers.control import Control, LeaseLost
from workers.conversation import Conversation, Flooded, conversation, opening
from workers.dispatch import Dispatcher
from workers.exchanges import Exchanges
from workers.failure import PolicyUnreadable, RuntimeDied, WorkspaceFull, explained
from workers.frames import LineTooLong
from workers.guest import Guest
from workers.lease import Held
from workers.policies import Permissions, permissions
from workers.pool import Pool
from workers.runtime import Runtime, RuntimeMissing
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.spec import Command, Entry
from workers.upload import Ending, Rejected, Uploader

FAILED, CANCELLED = runs_pb2.RUN_STATE_FAILED, runs_pb2.RUN_STATE_CANCELLED
DEMONSTRATION = (
    "{model} is a demonstration model: it shows that everything works and is too small for real work. "
    "`signet provider add` adds a better one."
)


@dataclass(frozen=True)
class Means:
    """What every run on this worker uses."""

    control: Control
    pool: Pool
    approvals: Approvals
    runtimes: Mapping[str, Entry | Command]
    door: str
    router_wait_seconds: float
    tool_seconds: int
    log: Log


class Execution:
    """One run. `cancel` may be called at any time, more than once."""

    def __init__(self, means: Means, assignment: work_pb2.Assignment, held: Held, claimed: float) -> None:
        self._means = means
        self._assignment = assignment
        self._held = held
        self._claimed = claimed
        self._uploader = Uploader(means.control, held, assignment.next_sequence)
        self._exchanges = Exchanges(self._uploader)
        self._seconds = assignment.limits.max_seconds
        self._bound = "limits.max_seconds"
        self._guest = Guest(assignment.run, held, self._uploader, means.approvals, self._seconds)
        self._cancelled = asyncio.Event()
        self._cell: Cell | None = None
        self._conversation: Conversation | None = None
        self._dispatcher: Dispatcher | None = None
        if assignment.run.cancel_requested:
            self._cancelled.set()

    def cancel(self) -> None:
        """Have it stopped."""
        self._cancelled.set()

    async def run(self) -> None:
        """Execute it and store how it ended. Cancelling it kills what runs and leaves the run to control."""
        writer = asyncio.create_task(self._uploader.run())
        try:
            ending = await self._stored(await self._ended(writer), writer)
            self._log("run_finished", outcome=runs_pb2.RunState.Name(ending.outcome), reason=ending.reason)
        except LeaseLost as lost:
            self._log("run_abandoned", why=str(lost))
        except (Rejected, TimeoutError) as error:
            self._means.log.error("run_not_stored", run=self._held.run, why=str(error))  # noqa: TRY400 - our log, and no trace
        finally:
            writer.cancel()
            await asyncio.wait([writer])
            await self._uploader.aclose()

    async def _stored(self, ending: Ending, writer: "asyncio.Task[None]") -> Ending:
        """Store the end; where control will not take what comes before it, the run ends for that reason."""
        self._uploader.close()
        await asyncio.wait([writer])
        try:
            if error := writer.exception():
                raise error
            await self._uploader.finish(ending)
        except Rejected as error:
            ending = self._rejected(error)
            await self._uploader.finish(ending)
        return ending

    async def _ended(self, writer: "asyncio.Task[None]") -> Ending:
        """Run until the runtime ends it, or something else does first; nothing of it runs when this returns."""
        body = asyncio.create_task(self._body())
        ends = (self._cancelled.wait(), self._held.lost.wait(), self._guest.wall.over())
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(end) for end in ends]
        ending: Ending | None = None
        try:
            await asyncio.wait([body, writer, *waits], return_when=asyncio.FIRST_COMPLETED)
            ending = self._verdict(body, writer)
        finally:
            for wait in waits:
                wait.cancel()
            await self._stop(body, ending)
        return ending

    def _verdict(self, body: "asyncio.Task[Ending]", writer: "asyncio.Task[None]") -> Ending:
        """Say how it ended, by what came first. Raises LeaseLost."""
        if self._held.lost.is_set():
            raise LeaseLost(self._held.why)
        if writer.done():
            return self._unstorable(writer)
        if body.done():
            return self._told(body)
        if self._cancelled.is_set():
            return self._cut_short(CANCELLED, "CANCELLED", "the run was cancelled")
        return self._cut_short(
            FAILED,
            "DEADLINE_EXCEEDED",
            f"the run was not done after {self._seconds} s. Ask for less at once, or raise the agent's {self._bound}",
        )

    def _told(self, body: "asyncio.Task[Ending]") -> Ending:
        """Give the ending that the body came to, or what its failure means. Raises LeaseLost."""
        error = body.exception()
        if error is None:
            return body.result()
        if isinstance(error, LeaseLost):
            raise error
        if isinstance(error, Rejected):
            return self._rejected(error)
        reason, message = explained(error)
        if reason == "INTERNAL":
            self._means.log.error("run_failed", run=self._held.run, kind=type(error).__name__, message=str(error))
        return self._cut_short(FAILED, reason, message)

    def _unstorable(self, writer: "asyncio.Task[None]") -> Ending:
        error = writer.exception()
        if isinstance(error, Rejected):
            return self._rejected(error)
        raise LeaseLost(str(error))

    def _rejected(self, error: Rejected) -> Ending:
        """End a run of which control keeps no more events."""
        self._uploader.forget()
        flooded = error.reason == "LIMIT_REACHED"
        if not flooded:
            self._means.log.error("events_rejected", run=self._held.run, reason=error.reason, message=str(error))
        return self._cut_short(FAILED, "RUNTIME_FLOODED" if flooded else "INTERNAL", str(error))

    def _cut_short(self, outcome: "runs_pb2.RunState", reason: str, message: str) -> Ending:
        """End with the answer as far as it came; a person who cancels goes on from there."""
        partial = self._conversation.partial() if self._conversation else ""
        messages = "[]"
        if outcome == CANCELLED:
            self._uploader.add(cancel_requested=events_pb2.CancelRequested())
            if partial.strip():
                messages = conversation(self._assignment.run.input, partial)
        return Ending(outcome, output=partial, messages=messages, reason=reason, message=message)

    async def _stop(self, body: "asyncio.Task[Ending]", ending: Ending | None) -> None:
        """Kill what runs, hear the last reports, and give the cell back; without an ending it is closed at once."""
        body.cancel()
        if self._dispatcher:
            await self._dispatcher.close("cancelled" if ending and ending.outcome == CANCELLED else "the run ended")
        await asyncio.wait([body])
        cell, self._cell = self._cell, None
        keep = cell is not None and ending is not None and await self._cleaned(cell)
        await self._guest.leave()
        if cell:
            await self._means.pool.give(cell, keep=keep)

    async def _cleaned(self, cell: Cell) -> bool:
        """Whether the cell can take another run."""
        # One after the other: what hangs up because it is killed would else be told of as a caller that went away.
        disarmed = await asyncio.gather(cell.sidecar.disarm(), return_exceptions=True)
        cleaned = await asyncio.gather(cell.clean(), return_exceptions=True)
        failures = [error for error in (*disarmed, *cleaned) if isinstance(error, BaseException)]
        for error in failures:
            message = f"The sandbox was closed, for it could not be cleaned up: {error}"
            self._uploader.add(notice=events_pb2.Notice(code="cleanup_incomplete", message=message))
        return not failures

    async def _body(self) -> Ending:
        """Open, arm, and hear the runtime to its end."""
        assignment, means = self._assignment, self._means
        what = means.runtimes.get(assignment.runtime)
        if what is None:
            raise RuntimeMissing(
                f"this worker has no runtime {assignment.runtime!r}; it has {', '.join(means.runtimes)}"
            )
        cell = self._cell = await means.pool.take(self._permitted(), self._guest)
        async with cell.quota.guard() as guard:
            try:
                return await self._inside(cell, what)
            except (RuntimeDied, SandboxUnavailable) as error:
                if guard.problem:
                    raise WorkspaceFull(guard.problem) from error
                raise

    async def _inside(self, cell: Cell, what: Entry | Command) -> Ending:
        self._opened(cell)
        arming = asyncio.create_task(self._arm(cell))
        try:
            runtime = await Runtime.start(cell, what)
        finally:
            await arming
        try:
            return await self._heard(cell, runtime)
        finally:
            await runtime.aclose()

    def _permitted(self) -> Permissions:
        """Read what is in force for the run's agent; its wall time bounds the run, too. Raises PolicyUnreadable."""
        assignment = self._assignment
        try:
            found = permissions(assignment.policy, assignment.run.agent.removeprefix("agents/"))
        except ValueError as error:
            raise PolicyUnreadable(str(error)) from error
        wall_seconds = found.policy.resources.wall_seconds
        if 0 < wall_seconds < self._seconds:
            self._seconds, self._bound = wall_seconds, "policy: resources.wall"
            self._guest.wall.within(wall_seconds)
        return found

    def _opened(self, cell: Cell) -> None:
        self._uploader.add(
            sandbox_opened=events_pb2.SandboxOpened(
                sandbox=cell.sandbox.name,
                warm=cell.warm,
                open_micros=int((now() - self._claimed) * 1e6),
                isolation=isolation(cell.sandbox.report),
            )
        )
        model = self._assignment.model
        if model.profile.demonstration:
            message = DEMONSTRATION.format(model=model.name)
            self._uploader.add(notice=events_pb2.Notice(code="demonstration_model", message=message))

    async def _arm(self, cell: Cell) -> None:
        await cell.sidecar.arm(
            run=self._held.run,
            token=self._assignment.run_token,
            policy=cell.permissions.secrets_token,
            door=self._means.door,
            patience_seconds=self._means.router_wait_seconds,
            exchanges=self._exchanges,
        )

    async def _heard(self, cell: Cell, runtime: Runtime) -> Ending:
        """Give the runtime its run and take what it says, each frame behind what the sidecar said before it."""
        offered = {tool.name: json.loads(tool.parameters) for tool in self._assignment.tools}
        self._dispatcher = Dispatcher(
            cell, self._guest, offered, runtime.frames.send, seconds=self._means.tool_seconds, log=self._means.log
        )
        talk = self._conversation = Conversation(self._assignment.run.input, self._uploader, self._dispatcher)
        first = opening(self._assignment)
        try:
            await runtime.frames.send(first)
        except LineTooLong as error:
            raise ValueError("the run's input, history and tools are too long together") from error
        while (frame := await runtime.frames.receive()) is not None:
            cell.sidecar.poll()
            if ending := talk.take(frame):
                return ending
            await self._uploader.room()
        if runtime.tail.flooded.is_set():
            raise Flooded("the runtime wrote too much to its standard output and error")
        death = await runtime.death()
        if gone := cell.sandbox.ended:
            raise SandboxUnavailable(f"it ended in the middle of the run: {gone}", layer="init")
        raise RuntimeDied(death)

    def _log(self, event: str, **fields: str) -> None:
        self._means.log.info(event, run=self._held.run, generation=self._held.generation, **fields)
