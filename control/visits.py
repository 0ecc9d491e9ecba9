"""Which worker a caller of a sandbox is handed to, and the order that it is given."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from control import effective
from control.lookup import agent_in, sandbox_in
from control.store import runs, sandboxes, workers
from control.store.database import Connection
from control.store.readers import Readers
from control.store.sandboxes import Sandbox
from control.store.workers import Worker
from signet.kit.errors import Unavailable, invalid
from signet.kit.names import parse
from signet.kit.times import now_micros
from signet.v1 import sandboxes_pb2
from signet.work.v1 import work_pb2

_MICROS = 1_000_000
_MAX_WORKERS = 1000


@dataclass(frozen=True)
class Visit:
    """A worker's id, and what it is told."""

    worker: str
    order: work_pb2.AttachOrder


@dataclass(frozen=True)
class Visits:
    """Finds workers for callers. A worker not heard from for a lease's time is none."""

    readers: Readers
    run_key: bytes
    lease_seconds: int

    async def find(self, target: str) -> Visit:
        """Find the worker for `agents/{agent}` or `sandboxes/{sandbox}`.

        Raises NotFound, InvalidArgument, Unavailable (NO_WORKER), FailedPrecondition (POLICY_INVALID: none in force).
        """
        return await self.readers.read(partial(self._find, target=target))

    def _find(self, connection: Connection, target: str) -> Visit:
        now = now_micros()
        if target.startswith("sandboxes/"):
            row = sandbox_in(connection, parse("sandboxes", target, "target"))
            agent, worker = row.agent, row.worker
            if not self._heard(workers.get(connection, worker), now):
                raise _nobody(target)
        elif target.startswith("agents/"):
            agent = parse("agents", target, "target")
            agent_in(connection, agent)
            worker = self._of_agent(connection, agent, now)
        else:
            raise invalid(("start.target", f"must be `agents/…` or `sandboxes/…`, not {target[:80]!r}"))
        order = work_pb2.AttachOrder(target=target)
        found = effective.of(connection, agent, now)
        if found is not None:
            order.policy.CopyFrom(found.order(self.run_key, now))
        elif not target.startswith("sandboxes/"):
            raise effective.nothing(agent)
        return Visit(worker, order)

    def _of_agent(self, connection: Connection, agent: str, now: int) -> str:
        fleet = [found for found in workers.page(connection, after="", limit=_MAX_WORKERS) if self._heard(found, now)]
        last = runs.last_worker(connection, agent)
        chosen = pick(fleet, sandboxes.of_agent(connection, agent), last)
        if chosen is None:
            raise _nobody(f"agents/{agent}")
        return chosen

    def _heard(self, worker: Worker | None, now: int) -> bool:
        return worker is not None and now - worker.last_seen_time <= self.lease_seconds * _MICROS


def pick(fleet: Sequence[Worker], open_ones: Sequence[Sandbox], last: str) -> str | None:
    """Choose: who has an idle sandbox of the agent, who has a busy one, who ran it last, who has least to do.

    The last two only where they do not drain. `open_ones` come newest first.
    """
    there = {worker.id for worker in fleet}
    idle = [row for row in open_ones if row.state == sandboxes_pb2.SANDBOX_STATE_IDLE]
    for row in (*idle, *open_ones):
        if row.worker in there and not row.stop and row.state != sandboxes_pb2.SANDBOX_STATE_STOPPING:
            return row.worker
    ready = sorted((worker for worker in fleet if not worker.draining), key=lambda one: (one.active_runs, one.id))
    if any(worker.id == last for worker in ready):
        return last
    return ready[0].id if ready else None


def _nobody(target: str) -> Unavailable:
    message = f"no worker is there for {target}"
    return Unavailable("NO_WORKER", message, hint="signet worker list", retry_after_seconds=1)
