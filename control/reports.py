"""What workers say of their sandboxes: kept as they last said it, and forgotten with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from control import rollout
from control.bells import Bells
from control.claims import current
from control.orders import Desk
from control.store import agents, sandboxes, workers
from control.store.readers import Readers
from control.store.sandboxes import Sandbox
from control.store.writer import Transaction, Writer
from signet.kit.errors import invalid
from signet.kit.times import micros
from signet.v1 import sandboxes_pb2
from signet.work.v1 import work_pb2

MAX_SANDBOXES = 10_000
"""Sandboxes of one worker."""

_MAX_WORD = 200
_MAX_PROBLEM = 4096
_MAX_BYTES = 64 * 1024


@dataclass(frozen=True)
class Reports:
    """Keeps reports, and answers with what is lacking."""

    readers: Readers
    writer: Writer
    bells: Bells
    desk: Desk

    async def report(self, worker: str, incarnation: str, found: Sequence[Sandbox]) -> list[work_pb2.PolicyOrder]:
        """Take a worker's sandboxes: these, and no others. Gives the policies that any of them lack.

        Raises FailedPrecondition (LEASE_LOST) for an incarnation that is not the newest.
        """
        await self.writer.write(partial(_keep, worker, incarnation, tuple(found), self.bells))
        return await self.readers.read(partial(self.desk.lacking, worker=worker))


def check(worker: str, found: Sequence[sandboxes_pb2.Sandbox]) -> list[Sandbox]:
    """See that a report is well-formed. Raises InvalidArgument."""
    if len(found) > MAX_SANDBOXES:
        raise invalid(("sandboxes", f"must be at most {MAX_SANDBOXES}, not {len(found)}"))
    prefix = f"sandboxes/{worker}."
    problems: list[tuple[str, str]] = []
    for index, sandbox in enumerate(found):
        at = f"sandboxes[{index}]"
        if not sandbox.name.startswith(prefix) or not len(prefix) < len(sandbox.name) <= _MAX_WORD:
            problems.append((f"{at}.name", f"must be `{prefix}…`, not {sandbox.name[:80]!r}"))
        if not sandbox.agent.startswith("agents/"):
            problems.append((f"{at}.agent", f"must be `agents/…`, not {sandbox.agent[:80]!r}"))
        if sandbox.ByteSize() > _MAX_BYTES or len(sandbox.policy_problem) > _MAX_PROBLEM:
            problems.append((at, f"must be at most {_MAX_BYTES} bytes, its policy_problem {_MAX_PROBLEM} characters"))
    if len({sandbox.name for sandbox in found}) != len(found):
        problems.append(("sandboxes", "must name each sandbox once"))
    if problems:
        raise invalid(*problems[:20])
    return [_row(worker, sandbox) for sandbox in found]


def forget_lost(transaction: Transaction, seen_before: int, bells: Bells) -> list[str]:
    """Forget the sandboxes of workers that were not heard from since a time; gives those workers."""
    lost = sandboxes.of_lost(transaction.connection, seen_before)
    for worker in lost:
        rows = sandboxes.of_worker(transaction.connection, worker)
        sandboxes.forget_worker(transaction.connection, worker)
        _settle(transaction, rows, bells)
    return lost


def _keep(worker: str, incarnation: str, found: tuple[Sandbox, ...], bells: Bells, transaction: Transaction) -> None:
    connection = transaction.connection
    current(transaction, worker, incarnation)
    workers.seen(connection, worker, transaction.now, len(found))
    before = {row.id: row for row in sandboxes.of_worker(connection, worker)}
    changed = [row for row in found if row.id not in before or before[row.id].payload != row.payload]
    named = {row.id for row in found}
    gone = [row for row in before.values() if row.id not in named]
    sandboxes.keep(connection, changed)
    sandboxes.delete(connection, [row.id for row in gone])
    _settle(transaction, [*changed, *gone], bells)


def _settle(transaction: Transaction, rows: Sequence[Sandbox], bells: Bells) -> None:
    """See how far the policies are in force whose sandboxes changed."""
    named = agents.policies(transaction.connection, sorted({row.agent for row in rows}))
    for policy in sorted(set(named.values())):
        rollout.settle(transaction, policy, bells)


def _row(worker: str, sandbox: sandboxes_pb2.Sandbox) -> Sandbox:
    sandbox.worker = f"workers/{worker}"
    return Sandbox(
        id=sandbox.name.removeprefix("sandboxes/"),
        worker=worker,
        agent=sandbox.agent.removeprefix("agents/"),
        run=sandbox.run.removeprefix("runs/"),
        state=sandbox.state,
        policy=sandbox.policy.removeprefix("policies/"),
        policy_version=sandbox.policy_version,
        policy_digest=sandbox.policy_digest,
        policy_problem=sandbox.policy_problem,
        problem_version=sandbox.policy_problem_version,
        open_time=micros(sandbox.open_time),
        payload=sandbox.SerializeToString(deterministic=True),
    )
