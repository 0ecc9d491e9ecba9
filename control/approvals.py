"""Questions that agents put to people: asked once, answered once, over when their time is, and never lost."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial

from control.bells import APPROVALS, ORDERS, Bells
from control.effective import MAX_GRANT_BYTES, MAX_GRANTS
from control.leases import fenced
from control.lookup import agent_in, approval_in
from control.questions import COMMAND, Question
from control.room import Room
from control.store import approvals as store
from control.store import grants, runs
from control.store.approvals import Approval
from control.store.database import Connection
from control.store.grants import Grant
from control.store.readers import Readers
from control.store.writer import Transaction, Writer
from signet.kit.errors import FailedPrecondition, ResourceExhausted, Unavailable, invalid
from signet.kit.names import uuid7
from signet.v1 import approvals_pb2, policies_pb2, runs_pb2

MAX_WAITING = 100
"""Questions of one agent that wait at once."""

HOLD_SECONDS = 3600
"""How long a yes for the agent holds where the run that asked is over and the answer says nothing else."""

BATCH = 256
"""Approvals that a watcher is sent between two looks."""

_MICROS = 1_000_000
_PENDING = approvals_pb2.APPROVAL_STATE_PENDING
_APPROVED = approvals_pb2.APPROVAL_STATE_APPROVED
_DENIED = approvals_pb2.APPROVAL_STATE_DENIED
_EXPIRED = approvals_pb2.APPROVAL_STATE_EXPIRED
_RUN = policies_pb2.GRANT_SCOPE_RUN
_SESSION = policies_pb2.GRANT_SCOPE_SESSION
_AGENT = policies_pb2.GRANT_SCOPE_AGENT


@dataclass(frozen=True)
class Answer:
    """A checked answer. `scope` is 0 where the caller leaves it to the question; `hold_seconds` 0 for always."""

    approval: str
    yes: bool
    scope: int
    hold_seconds: int
    caller: str


@dataclass(frozen=True)
class Approvals:
    """Asks, answers and watches; `watchers` is how many watch at once."""

    readers: Readers
    writer: Writer
    bells: Bells
    watchers: Room = field(default_factory=lambda: Room(1000, "watchers of approvals"))

    async def ask(self, question: Question) -> Approval:
        """Put a question; give the one that was put already where it is the same.

        Raises NotFound, FailedPrecondition (LEASE_LOST), ResourceExhausted (100 wait for this agent already).
        """
        return await self.writer.write(partial(_ask, question, self.bells))

    async def answer(self, answer: Answer) -> Approval:
        """Answer a question; repeating it is safe. Raises NotFound, FailedPrecondition (APPROVAL_FINAL)."""
        return await self.writer.write(partial(_answer, answer, self.bells))

    async def watch(self) -> AsyncIterator[Approval]:
        """Give those that wait, then each as it changes. Raises ResourceExhausted, Unavailable when control ends."""
        with self.watchers.place(), self.bells.listen(APPROVALS) as news:
            known, after = await self.readers.read(_first)
            while known:
                for approval in known:
                    yield approval
                known = await self.readers.read(partial(store.pending, after=known[-1].id, limit=BATCH))
            while not self.bells.closing:
                news.clear()
                changed = await self.readers.read(partial(store.changed, after=after, limit=BATCH))
                for approval in changed:
                    yield approval
                    after = approval.revision
                if not changed:
                    await news.wait()
        raise Unavailable("SHUTTING_DOWN", "control is ending: watch again", retry_after_seconds=1)


def _first(connection: Connection) -> tuple[list[Approval], int]:
    return store.pending(connection, after="", limit=BATCH), store.revision(connection)


def _ask(question: Question, bells: Bells, transaction: Transaction) -> Approval:
    connection = transaction.connection
    made = _made(question, transaction)
    if known := _known(made, transaction):
        return known
    _give_way(made, transaction)
    if store.pending_of_agent(connection, made.agent) >= MAX_WAITING:
        raise ResourceExhausted(
            "LIMIT_REACHED",
            f"{MAX_WAITING} questions of agents/{made.agent} wait for an answer already",
            hint="signet approvals list",
        )
    store.insert(connection, made)
    _settle_run(transaction, made.run)
    transaction.after(partial(bells.ring, APPROVALS))
    return approval_in(connection, made.id)


def _made(question: Question, transaction: Transaction) -> Approval:
    """Make the approval. Of a run only whoever holds its lease may ask."""
    made = Approval(
        id=uuid7(),
        agent=question.agent,
        run=question.run,
        session="",
        ask=question.ask.SerializeToString(deterministic=True),
        subject=question.subject,
        blast_radius=question.blast_radius,
        state=_PENDING,
        create_time=transaction.now,
        expire_time=transaction.now + question.wait_seconds * _MICROS,
        worker="",
        incarnation="",
    )
    if not question.run:
        agent_in(transaction.connection, question.agent)
        return made
    row, lease = fenced(transaction, question.run, question.generation)
    if row.agent != question.agent:
        raise invalid(("agent", f"must be agents/{row.agent}, whose run this is"))
    return replace(made, session=row.session, worker=lease.worker, incarnation=lease.incarnation)


def _give_way(made: Approval, transaction: Transaction) -> None:
    """End questions of runs that are over: those for the same, and the oldest where there is no room for this one."""
    connection = transaction.connection
    left = store.left_behind(connection, made.agent)
    over = [known for known in left if known.subject == made.subject]
    if not over and store.pending_of_agent(connection, made.agent) >= MAX_WAITING:
        over = left[:1]
    for known in over:
        store.change(connection, known.id, state=_EXPIRED, end_time=transaction.now)


def _known(made: Approval, transaction: Transaction) -> Approval | None:
    """Find what there is: a grant that covers it, the same question that waits, or a no that the run was given."""
    connection = transaction.connection
    subjects = {"", f"runs/{made.run}" if made.run else "", f"sessions/{made.session}" if made.session else ""}
    for grant in grants.of_agents(connection, [made.agent], transaction.now):
        if grant.covers == made.subject and grant.subject in subjects and grant.approval:
            return store.get(connection, grant.approval)
    for known in store.same(connection, agent=made.agent, run=made.run, subject=made.subject):
        if known.state == _PENDING and known.expire_time > transaction.now:
            return known
        if known.state == _DENIED and made.run:
            return known
    return None


def _answer(answer: Answer, bells: Bells, transaction: Transaction) -> Approval:
    connection = transaction.connection
    found = approval_in(connection, answer.approval)
    state = _APPROVED if answer.yes else _DENIED
    if found.state != _PENDING:
        if found.state == state and (not answer.yes or _same(answer, found)):
            return found
        raise _final(found)
    if found.expire_time <= transaction.now:
        raise _final(replace(found, state=_EXPIRED))
    changed = {"state": state, "end_time": transaction.now, "caller": answer.caller}
    if answer.yes:
        reach = _reach(found, answer, transaction)
        grant = _grant(found, reach, transaction)
        changed |= {"scope": reach.scope, "hold_seconds": reach.hold_seconds, "grant": grant.id}
    store.change(connection, found.id, **changed)
    _settle_run(transaction, found.run)
    transaction.after(partial(bells.ring, APPROVALS))
    transaction.after(partial(bells.ring, ORDERS))
    return approval_in(connection, found.id)


def _same(answer: Answer, found: Approval) -> bool:
    """Tell whether a yes says again what was said. What it leaves open depends on whether the run was over then."""
    hold = answer.hold_seconds
    if answer.scope:
        meant = {(answer.scope, hold)}
    elif found.run:
        meant = {(_RUN, hold), (_AGENT, hold or HOLD_SECONDS)}
    else:
        meant = {(_AGENT, hold)}
    return (found.scope, found.hold_seconds) in meant


def _reach(approval: Approval, answer: Answer, transaction: Transaction) -> Answer:
    """Fill in how far a yes reaches. Raises InvalidArgument for one to a run that is over, NotFound."""
    agent_in(transaction.connection, approval.agent)
    row = runs.row(transaction.connection, approval.run) if approval.run else None
    if row is None or not row.final:
        return replace(answer, scope=answer.scope or (_RUN if approval.run else _AGENT))
    if answer.scope == _RUN:
        others = "SESSION or AGENT" if approval.session else "AGENT"
        raise invalid(("scope", f"{row.name}, which asked, is over: choose {others}"))
    if answer.scope:
        return answer
    return replace(answer, scope=_AGENT, hold_seconds=answer.hold_seconds or HOLD_SECONDS)


def _grant(approval: Approval, answer: Answer, transaction: Transaction) -> Grant:
    """Make the grant of a yes. Raises InvalidArgument for a scope that the question has not."""
    scope = answer.scope
    subjects: dict[int, str] = {_RUN: approval.run and f"runs/{approval.run}", _AGENT: "agent"}
    subjects[_SESSION] = approval.session and f"sessions/{approval.session}"
    if not subjects[scope]:
        noun = "run" if scope == _RUN else "session"
        raise invalid(("scope", f"approvals/{approval.id} was asked outside a {noun}: choose AGENT"))
    if scope == _RUN and answer.hold_seconds:
        raise invalid(("hold_seconds", "a yes of scope RUN holds until the run ends: choose SESSION or AGENT"))
    held = grants.of_agents(transaction.connection, [approval.agent], transaction.now)
    if len(held) >= MAX_GRANTS or sum(len(grant.ask) for grant in held) > MAX_GRANT_BYTES:
        message = f"agents/{approval.agent} has {len(held)} grants, and no room for one more"
        raise ResourceExhausted("LIMIT_REACHED", message, hint="signet grant revoke")
    made = Grant(
        id=uuid7(),
        agent=approval.agent,
        scope=scope,
        subject="" if scope == _AGENT else subjects[scope],
        ask=approval.ask,
        covers=approval.subject,
        caller=answer.caller,
        create_time=transaction.now,
        expire_time=transaction.now + answer.hold_seconds * _MICROS if answer.hold_seconds else None,
        approval=approval.id,
    )
    grants.insert(transaction.connection, made)
    return made


def expire(transaction: Transaction, bells: Bells) -> int:
    """End the questions whose time is over, and note the grants whose time is; gives how many that were."""
    connection = transaction.connection
    late = store.over(connection, transaction.now)
    for approval in late:
        store.change(connection, approval.id, state=_EXPIRED, end_time=transaction.now)
        _settle_run(transaction, approval.run)
    ended = grants.note_over(connection, transaction.now)
    if late:
        transaction.after(partial(bells.ring, APPROVALS))
    if late or ended:
        transaction.after(partial(bells.ring, ORDERS))
    return len(late) + ended


def any_over(connection: Connection, now: int) -> bool:
    """Tell whether `expire` has something to do."""
    return bool(store.over(connection, now)) or grants.over(connection, now) > 0


def _settle_run(transaction: Transaction, run: str) -> None:
    """Say of a run that it waits as long as a command of its does; a connection that is asked for holds up no run."""
    row = runs.row(transaction.connection, run) if run else None
    if row is None or row.state not in {runs_pb2.RUN_STATE_RUNNING, runs_pb2.RUN_STATE_WAITING}:
        return
    waits = any(found.subject.startswith(COMMAND) for found in store.pending_of_run(transaction.connection, run))
    state = runs_pb2.RUN_STATE_WAITING if waits else runs_pb2.RUN_STATE_RUNNING
    if state != row.state:
        runs.change(transaction.connection, run, state=state)


def _final(found: Approval) -> FailedPrecondition:
    state = approvals_pb2.ApprovalState.Name(found.state).removeprefix("APPROVAL_STATE_")
    by = f" by {found.caller}" if found.caller else ""
    return FailedPrecondition(
        "APPROVAL_FINAL",
        f"approvals/{found.id} is {state}{by} already",
        hint="signet grant revoke ends what was let through" if found.grant else "the agent may ask again",
    )
