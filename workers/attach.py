"""People in sandboxes: whoever control says is waiting is taken up, and gets a command with its streams, or a log."""

import asyncio
import contextlib

from signet.kit.log import Log
from signet.kit.times import stamp
from signet.v1 import sandboxes_pb2
from signet.work.v1 import work_pb2
from workers.asked import Refused, read
from workers.caller import Caller, Left, Said
from workers.cell import Cell
from workers.control import Control
from workers.policies import permissions
from workers.pool import Pool
from workers.sandbox.errors import SandboxUnavailable
from workers.visit import Visit

START_SECONDS = 15.0
"""How long a caller may take to say what to run."""
END_SECONDS = 5.0
"""How long control may take to close a stream."""


class Attach:
    """The callers that are served here. `take` may be called twice for the same order."""

    def __init__(self, control: Control, pool: Pool, log: Log) -> None:
        self._control = control
        self._pool = pool
        self._log = log
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending = asyncio.Event()

    def take(self, order: work_pb2.AttachOrder) -> None:
        """Serve a caller, in a task of its own."""
        if order.id in self._tasks or self._ending.is_set():
            return
        task = asyncio.create_task(self._serve(order))
        self._tasks[order.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(order.id, None))

    async def aclose(self) -> None:
        """Kill what callers run, tell them so, and leave them."""
        self._ending.set()
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=END_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, order: work_pb2.AttachOrder) -> None:
        """Serve one to the end; a fault in it is logged and costs that caller alone."""
        try:
            async with Caller(self._control, order.id) as caller:
                await (self._show_log(caller, order) if order.logs else self._run(caller, order))
                await caller.finish(END_SECONDS)
        except (Left, TimeoutError):
            return
        except Exception as error:  # noqa: BLE001 - the others go on
            self._log.error("attach_failed", target=order.target, kind=type(error).__name__, message=str(error))

    async def _run(self, caller: Caller, order: work_pb2.AttachOrder) -> None:
        async with asyncio.timeout(START_SECONDS):
            first = await caller.receive()
        try:
            await self._visit(caller, order, first.start)
        except Refused as refused:
            await caller.fail(refused.reason, str(refused))

    async def _visit(self, caller: Caller, order: work_pb2.AttachOrder, start: sandboxes_pb2.ExecStart) -> None:
        asked = read(start)
        async with contextlib.AsyncExitStack() as stack:
            cell = await self._entered(stack, order)
            guard = await stack.enter_async_context(cell.quota.guard(person=True))
            shown = _shown(start)
            cell.logbook.write("visited", shown)
            code = await Visit(caller, cell, guard, self.name(cell), self._ending).serve(asked)
            cell.logbook.write("left", f"exit code {code}: {shown}")

    async def _entered(self, stack: contextlib.AsyncExitStack, order: work_pb2.AttachOrder) -> Cell:
        kind, _, target = order.target.partition("/")
        name = target.rpartition(".")[2] if kind == "sandboxes" else ""
        try:
            wanted = permissions(order.policy, "" if name else target)
            return await stack.enter_async_context(self._pool.visit(wanted, name))
        except LookupError as error:
            raise Refused("SANDBOX_NOT_FOUND", f"there is no {order.target}") from error
        except ValueError as error:
            raise Refused("SANDBOX_FAILED", f"the policy cannot be put in force: {error}") from error
        except SandboxUnavailable as error:
            raise Refused("SANDBOX_FAILED", str(error)) from error

    async def _show_log(self, caller: Caller, order: work_pb2.AttachOrder) -> None:
        cell = self._pool.named(order.target.rpartition(".")[2])
        if cell is None:
            await caller.fail("SANDBOX_NOT_FOUND", f"there is no {order.target}")
            return
        telling = asyncio.create_task(_tell(caller, cell, follow=order.follow))
        tasks = (telling, asyncio.create_task(caller.left()), asyncio.create_task(self._ending.wait()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                telling.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def name(self, cell: Cell) -> str:
        """Give a cell's name in the fleet, `sandboxes/{worker}.{id}`."""
        return f"sandboxes/{self._control.worker.partition('/')[2]}.{cell.sandbox.name}"


async def _tell(caller: Caller, cell: Cell, *, follow: bool) -> None:
    async for line in cell.logbook.read(follow=follow):
        shown = sandboxes_pb2.WatchSandboxLogsResponse(time=stamp(line.time), event=line.event, text=line.text)
        await caller.send(Said(log=shown))


def _shown(start: sandboxes_pb2.ExecStart) -> str:
    kind = start.WhichOneof("what")
    if kind != "command":
        return f"{kind} {start.pack or start.unpack}"
    return f"run {' '.join(start.command.argv) or 'a shell'}"
