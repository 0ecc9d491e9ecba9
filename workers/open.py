"""What is open here: told to control after each change and every ten seconds, so that people see it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from signet.kit.errors import SignetError
from signet.kit.log import Log
from signet.kit.times import stamp
from signet.v1 import sandboxes_pb2
from signet.work.v1 import work_pb2
from workers.backoff import Backoff
from workers.cell import Cell, isolation
from workers.clock import now
from workers.pool import Pool
from workers.sandbox.usage import Usage

REPORT_SECONDS = 10.0
"""Longest time between two reports."""
GATHER_SECONDS = 0.1
"""How long a change waits for others, so that many are told at once."""
MEASURE_SECONDS = 2.0
"""How old the memory and the processes of a report may be: to count them reads a few files for each process."""
MOST = 10_000
"""Most sandboxes of a report."""

Report = Callable[[Sequence[sandboxes_pb2.Sandbox]], Awaitable[Sequence[work_pb2.PolicyOrder]]]

BUSY, IDLE = sandboxes_pb2.SANDBOX_STATE_BUSY, sandboxes_pb2.SANDBOX_STATE_IDLE
STOPPING = sandboxes_pb2.SANDBOX_STATE_STOPPING


class OpenSandboxes:
    """The sandboxes of a pool. `report` tells control, `lacking` is given what they have not loaded yet."""

    def __init__(
        self,
        worker: str,
        pool: Pool,
        report: Report,
        lacking: Callable[[work_pb2.PolicyOrder], None],
        log: Log,
    ) -> None:
        self._worker = worker
        self._pool = pool
        self._report = report
        self._lacking = lacking
        self._log = log
        self._told = True
        self._used: dict[str, Usage] = {}
        self._measured = -MEASURE_SECONDS

    def changed(self) -> None:
        """Have it told soon."""
        self._pool.changed.set()

    def snapshot(self) -> list[sandboxes_pb2.Sandbox]:
        """Show every sandbox as it stands now, with what it used when that was last measured."""
        return [self._shown(cell) for cell in self._pool.cells[:MOST]]

    async def run(self) -> None:
        """Tell, until cancelled; again and again where control is away."""
        backoff = Backoff(first=GATHER_SECONDS, most=REPORT_SECONDS)
        while True:
            await asyncio.sleep(GATHER_SECONDS)
            self._pool.changed.clear()
            if not await self._tell():
                await asyncio.sleep(backoff.next())
                continue
            backoff.reset()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REPORT_SECONDS):
                    await self._pool.changed.wait()

    async def _tell(self) -> bool:
        """Whether control was told."""
        await self._measure()
        try:
            orders = await self._report(self.snapshot())
        except SignetError as error:  # registering and renewing say what is wrong
            if self._told:
                self._log.warning("sandboxes_not_told", reason=error.reason)
            self._told = False
            return False
        self._told = True
        for order in orders:
            self._lacking(order)
        return True

    async def _measure(self) -> None:
        if now() - self._measured < MEASURE_SECONDS and all(
            cell.sandbox.name in self._used for cell in self._pool.cells
        ):
            return
        sandboxes = [cell.sandbox for cell in self._pool.cells[:MOST]]
        self._used = await asyncio.to_thread(lambda: {sandbox.name: sandbox.usage() for sandbox in sandboxes})
        self._measured = now()

    def _shown(self, cell: Cell) -> sandboxes_pb2.Sandbox:
        held = cell.permissions
        used = self._used.get(cell.sandbox.name, Usage(0, 0, 0))
        return sandboxes_pb2.Sandbox(
            name=f"sandboxes/{self._worker}.{cell.sandbox.name}",
            agent=f"agents/{cell.agent}",
            worker=f"workers/{self._worker}",
            run=cell.run,
            state=_state(cell),
            detail=_detail(cell),
            tier=held.policy.tier,
            policy=held.name,
            policy_version=held.version,
            policy_digest=held.digest,
            policy_problem=cell.problem,
            policy_problem_version=cell.problem_version,
            outdated=cell.outdated,
            isolation=isolation(cell.sandbox.report),
            open_time=stamp(cell.opened),
            sidecar_restarts=cell.restarts,
            memory_bytes=used.memory_bytes,
            processes=used.processes,
            workspace_bytes=cell.quota.used.bytes,
        )


def _state(cell: Cell) -> "sandboxes_pb2.SandboxState":
    if not cell.alive:
        return STOPPING
    return IDLE if cell.idle else BUSY


def _detail(cell: Cell) -> str:
    """Say for people why a sandbox stands as it does."""
    if ended := cell.sandbox.ended:
        return f"It is gone: {ended}"
    if cell.stopping:
        return "It is being closed."
    if cell.visitors:
        return (
            "One person's command is in it." if cell.visitors == 1 else f"{cell.visitors} people's commands are in it."
        )
    return ""
