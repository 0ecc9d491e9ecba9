"""What a worker is to do now, read from the tables each time: nothing told is ever lost, and told twice is as once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from control import effective, questions
from control.claims import superseded
from control.effective import Effective
from control.pages import within
from control.relay import Relays
from control.store import approvals, leases, sandboxes, workers
from control.store.database import Connection
from control.store.sandboxes import STOP_FORCED, Sandbox
from signet.kit.times import now_micros
from signet.work.v1 import work_pb2

_TELL_MICROS = 120 * 1_000_000
"""How long an answer is told: longer than a worker that was not heard from holds a lease."""


@dataclass(frozen=True)
class Orders:
    """Directives, by what makes one another one. `drain` is told when it changes."""

    drain: bool = False
    directives: Mapping[str, work_pb2.Directive] = field(default_factory=dict)

    def beyond(self, told: "Orders") -> list[work_pb2.Directive]:
        """Give what is new against what the worker was told."""
        found = [directive for key, directive in self.directives.items() if key not in told.directives]
        if self.drain != told.drain:
            found.append(work_pb2.Directive(drain=self.drain))
        return found

    def all(self) -> list[work_pb2.Directive]:
        """Give all of it that one message can carry; the rest is told by the watch, or when some of it is done."""
        return within([work_pb2.Directive(drain=self.drain), *self.directives.values()])


NOTHING = Orders()
"""What a worker does that was told nothing."""


@dataclass(frozen=True)
class Desk:
    """Puts a worker's orders together. `run_key` signs what sidecars borrow secrets by."""

    relays: Relays
    run_key: bytes

    def read(self, connection: Connection, worker: str, incarnation: str) -> Orders:
        """Say what a worker is to do. Raises FailedPrecondition (LEASE_LOST) for an older incarnation."""
        found = workers.get(connection, worker)
        if found is None or found.incarnation != incarnation:
            raise superseded(worker)
        now = now_micros()
        directives = {
            f"cancel {run}": work_pb2.Directive(cancel_run=f"runs/{run}")
            for run in leases.cancelled(connection, worker, incarnation)
        }
        rows = sandboxes.of_worker(connection, worker)
        for lacked in _lacked(connection, rows, now):
            order = lacked.order(self.run_key, now)
            directives[f"policy {lacked.agent} {lacked.digest}"] = work_pb2.Directive(load_policy=order)
        for row in rows:
            if row.stop:
                stop = work_pb2.StopOrder(sandbox=f"sandboxes/{row.id}", force=row.stop == STOP_FORCED)
                directives[f"stop {row.id} {row.stop}"] = work_pb2.Directive(stop_sandbox=stop)
        for answered in approvals.answered_for(connection, worker, incarnation, now - _TELL_MICROS):
            directives[f"approval {answered.id}"] = work_pb2.Directive(approval=questions.message(answered))
        return Orders(found.draining, directives)

    def lacking(self, connection: Connection, worker: str) -> list[work_pb2.PolicyOrder]:
        """Give policies that sandboxes of a worker lack, but for those that they could not load already."""
        rows = sandboxes.of_worker(connection, worker)
        now = now_micros()
        fine = [row for row in rows if not row.policy_problem]
        return within([lacked.order(self.run_key, now) for lacked in _lacked(connection, fine, now)])

    def with_callers(self, orders: Orders, worker: str) -> Orders:
        """Add the callers that wait for the worker. For the event loop, where they are known."""
        attaches = {f"attach {order.id}": work_pb2.Directive(attach=order) for order in self.relays.orders(worker)}
        return Orders(orders.drain, {**orders.directives, **attaches})


def _lacked(connection: Connection, rows: list[Sandbox], now: int) -> list[Effective]:
    """Give what is in force for agents, where a sandbox of theirs has something else."""
    found = effective.of_many(connection, [row.agent for row in rows], now)
    lacking = {row.agent for row in rows if row.agent in found and found[row.agent].digest != row.policy_digest}
    return [found[agent] for agent in sorted(lacking)]
