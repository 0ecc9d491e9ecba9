"""Taking runs: register, ask for one while there is room, execute it, and register anew when control forgot us."""

import asyncio
import contextlib
from collections.abc import Callable

from signet.kit.errors import SignetError
from signet.work.v1 import work_pb2
from workers.backoff import Backoff
from workers.clock import now
from workers.control import stale
from workers.execute import Execution, Means
from workers.lease import Held, Keeper

Execute = Callable[[work_pb2.Assignment, Held, float], Execution]


class Claimer:
    """The loop of a worker."""

    def __init__(
        self,
        keeper: Keeper,
        registration: work_pb2.RegisterWorkerRequest,
        execute: Execute,
        *,
        ready: Callable[[], None],
        means: Means,
    ) -> None:
        self._control = means.control
        self._keeper = keeper
        self._registration = registration
        self._execute = execute
        self._ready = ready
        self._log = means.log
        self._slots = asyncio.Semaphore(registration.capacity)
        self._running: dict[str, Execution] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reachable = True
        self._resting = False
        self._asking = asyncio.Lock()
        self._open = asyncio.Event()
        self._open.set()

    def cancel(self, run: str) -> None:
        """Have a run stopped, if it is here."""
        if running := self._running.get(run):
            running.cancel()

    def drain(self, drain: bool) -> None:  # noqa: FBT001 - as it comes in the directive
        """Take nothing new, or take runs again."""
        if drain:
            self._open.clear()
        elif not self._resting:
            self._open.set()

    async def rest(self) -> None:
        """Take nothing new, and wait until nothing runs; for as long as this is waited for."""
        self._resting = True
        self._open.clear()
        async with self._asking:  # what is asked for already may still bring one
            while self._tasks:
                await asyncio.wait(self._tasks)

    async def run(self, stop: asyncio.Event, grace_seconds: float) -> None:
        """Take and execute runs until `stop`; then what runs has `grace_seconds`, and is killed."""
        claiming = asyncio.create_task(self._claim_for_ever())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([claiming, stopping], return_when=asyncio.FIRST_COMPLETED)
            if claiming.done():
                claiming.result()
        finally:
            stopping.cancel()
            claiming.cancel()
            await asyncio.wait([claiming])
            await self._finish(grace_seconds if stop.is_set() else 0)

    async def _finish(self, grace_seconds: float) -> None:
        if self._tasks:
            self._log.info("draining", runs=len(self._tasks))
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _claim_for_ever(self) -> None:
        backoff = Backoff(first=0.1, most=2.0)
        while True:
            try:
                wait_seconds = await self._register()
                backoff.reset()
                await self._claim_while_known(wait_seconds, backoff)
            except SignetError as error:
                self._away(error)
                self._keeper.lose_all("this worker registers anew")
            await asyncio.sleep(backoff.next())

    def _away(self, error: SignetError) -> None:
        """Log that control does not answer, once until it does."""
        if self._reachable and not stale(error):
            self._log.warning("control_unavailable", reason=error.reason, message=error.message)
            self._reachable = False

    async def _register(self) -> int:
        """Register, and say how long a claim may wait: its answer's lease counts from when it was asked for."""
        lease_seconds = await self._control.register(self._registration)
        self._keeper.terms(lease_seconds)
        self._log.info("registered", worker=self._control.worker, lease_seconds=lease_seconds)
        self._ready()
        return max(lease_seconds // 3, 1)

    async def _claim_while_known(self, wait_seconds: int, backoff: Backoff) -> None:
        """Claim until control says that it does not know this incarnation."""
        while not self._keeper.stale.is_set():
            await self._open.wait()
            await self._slots.acquire()
            taken = False
            try:
                async with self._asking:
                    if self._open.is_set():
                        taken = await self._claim(wait_seconds)
                backoff.reset()
            except SignetError as error:
                if stale(error):
                    raise
                self._away(error)
                await asyncio.sleep(backoff.next())
            finally:
                if not taken:
                    self._slots.release()

    async def _claim(self, wait_seconds: int) -> bool:
        asked = now()
        assignment = await self._control.claim(wait_seconds)
        self._reachable = True
        if assignment is None:
            return False
        held = self._keeper.hold(assignment.run.name, assignment.lease.generation, asked)
        execution = self._execute(assignment, held, now())
        self._running[held.run] = execution
        task = asyncio.create_task(self._supervise(execution, held))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _supervise(self, execution: Execution, held: Held) -> None:
        """Run one to its end; a fault in it is logged and costs that run alone."""
        try:
            await execution.run()
        except Exception as error:  # noqa: BLE001 - the others go on; the lease is not renewed, so control ends this one
            self._log.error("run_lost", run=held.run, kind=type(error).__name__, message=str(error))
        finally:
            self._keeper.release(held)
            with contextlib.suppress(KeyError):
                if self._running[held.run] is execution:
                    del self._running[held.run]
            self._slots.release()
