"""Carrying out what control tells: each directive to whom it concerns; twice is the same as once."""

import asyncio
from collections.abc import Callable, Coroutine

from signet.kit.log import Log
from signet.work.v1 import work_pb2
from workers.approvals import Approvals
from workers.attach import Attach
from workers.claim import Claimer
from workers.policies import permissions
from workers.pool import Pool


class Orders:
    """`obey` never waits; what takes time goes on in tasks of its own, until `aclose`.

    An agent's policies are put in force one after another; one that was not begun when a newer comes is passed over.
    """

    def __init__(
        self,
        claimer: Claimer,
        pool: Pool,
        approvals: Approvals,
        attach: Attach,
        log: Log,
    ) -> None:
        self._claimer = claimer
        self._pool = pool
        self._approvals = approvals
        self._attach = attach
        self._log = log
        self._policies: dict[str, work_pb2.PolicyOrder] = {}
        self._stops: dict[str, bool] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def obey(self, directive: work_pb2.Directive) -> None:
        """Carry out a directive."""
        kind = directive.WhichOneof("kind")
        if kind == "cancel_run":
            self._claimer.cancel(directive.cancel_run)
        elif kind == "drain":
            self._claimer.drain(directive.drain)
        elif kind == "load_policy":
            self.load(directive.load_policy)
        elif kind == "attach":
            self._attach.take(directive.attach)
        elif kind == "stop_sandbox":
            self._stops[directive.stop_sandbox.sandbox] = directive.stop_sandbox.force
            self._begin(directive.stop_sandbox.sandbox, self._stop)
        elif kind == "approval":
            self._approvals.answered(directive.approval)

    def load(self, order: work_pb2.PolicyOrder) -> None:
        """Put a policy in force in every sandbox of its agent."""
        agent = order.policy.agent
        self._policies[agent] = order
        self._begin(agent, self._load)

    async def aclose(self) -> None:
        """Give up what goes on."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, name: str, work: Callable[[str], Coroutine[None, None, None]]) -> None:
        """Do it, unless it is being done."""
        going = self._tasks.get(name)
        if going is None or going.done():
            self._tasks = {other: task for other, task in self._tasks.items() if not task.done()}
            self._tasks[name] = asyncio.create_task(work(name))

    async def _load(self, agent: str) -> None:
        while order := self._policies.pop(agent, None):
            try:
                found = permissions(order)
            except ValueError as error:
                bare, version = agent.removeprefix("agents/"), order.policy.version
                self._log.error("policy_unreadable", agent=bare, version=version, message=str(error))
                self._pool.refuse(bare, version, f"it cannot be read by this worker: {error}")
            else:
                await self._pool.load(found)

    async def _stop(self, sandbox: str) -> None:
        force = self._stops.pop(sandbox, False)
        if not await self._pool.stop(sandbox.rpartition(".")[2], force=force):
            self._log.info("sandbox_busy", sandbox=sandbox)
