"""A run is asked for: checked whole, its stamp resolved, written with its first event in one transaction."""

import hashlib
from dataclasses import dataclass
from functools import partial

from control import effective
from control.bells import PENDING, Bells
from control.lookup import agent_in, run_in, session_in
from control.plan import Plan, Planner
from control.store import events, policies, runs, sessions, stamps
from control.store.database import Connection
from control.store.policies import Version
from control.store.readers import Readers
from control.store.writer import Transaction, Writer
from signet.kit.auth import current_caller
from signet.kit.errors import AlreadyExists, ResourceExhausted, Unavailable, invalid
from signet.kit.names import parse, uuid7
from signet.kit.times import stamp
from signet.v1 import agents_pb2, events_pb2, runs_pb2

MAX_INPUT = 1024 * 1024
"""Bytes of an input, as UTF-8."""

_MAX_REQUEST_ID = 128
_TITLE = 80
_TRIES = 64


@dataclass(frozen=True)
class Request:
    """A checked CreateRunRequest. Ids carry no collection; `hash` is of the whole request."""

    agent: str
    session: str
    input: str
    model: str
    request_id: str
    hash: str


def check(request: runs_pb2.CreateRunRequest) -> Request:
    """Check a request. Raises InvalidArgument with all that is wrong."""
    problems: list[tuple[str, str]] = []
    size = len(request.input.encode())
    if not size:
        problems.append(("input", "must not be empty"))
    if size > MAX_INPUT:
        problems.append(("input", f"is {size:,} bytes, and may be {MAX_INPUT:,}: put the rest in a file"))
    if len(request.request_id) > _MAX_REQUEST_ID:
        problems.append(("request_id", f"must be at most {_MAX_REQUEST_ID} characters, not {len(request.request_id)}"))
    if not request.agent and not request.session:
        problems.append(("agent", "must be `agents/{agent}`, or session must be given"))
    for field, collection in (("agent", "agents"), ("session", "sessions"), ("model", "models")):
        value: str = getattr(request, field)
        if value and (not value.startswith(f"{collection}/") or value == f"{collection}/"):
            problems.append((field, f"must be `{collection}/…`, not {value[:80]!r}"))
    if problems:
        raise invalid(*problems)
    return Request(
        agent=parse("agents", request.agent) if request.agent else "",
        session=parse("sessions", request.session) if request.session else "",
        input=request.input,
        model=request.model,
        request_id=request.request_id,
        hash=hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest(),
    )


@dataclass(frozen=True)
class Asked:
    """What a run is made of besides its request: the agent, the plan, and who asked."""

    agent: agents_pb2.Agent
    plan: Plan
    caller: str


@dataclass(frozen=True)
class Creation:
    """Makes runs."""

    readers: Readers
    writer: Writer
    bells: Bells
    planner: Planner
    max_pending: int

    async def create(self, request: Request) -> runs_pb2.Run:
        """Make a run, or give the one that the same request made before.

        Raises NotFound, AlreadyExists (REQUEST_ID_REUSED), Unavailable (ROUTER_UNAVAILABLE), ResourceExhausted.
        """
        if self.bells.closing:
            raise Unavailable("SHUTTING_DOWN", "control is ending and takes nothing new", retry_after_seconds=1)
        found = await self.readers.read(partial(_look, request=request))
        if isinstance(found, runs_pb2.Run):
            return found
        agent, policy = found
        plan = await self.planner.plan(agent, policy, request.model)
        asked = Asked(agent, plan, current_caller().name)
        return await self.writer.write(partial(self._write, request, asked))

    def _write(self, request: Request, asked: Asked, transaction: Transaction) -> runs_pb2.Run:
        agent, plan = asked.agent, asked.plan
        connection = transaction.connection
        if known := _same(connection, request):
            return known
        _agent(connection, request)  # it may be gone by now
        if runs.pending(connection, self.max_pending) >= self.max_pending:
            raise ResourceExhausted(
                "LIMIT_REACHED",
                f"{self.max_pending} runs wait for a worker already (control's option max_pending_runs)",
                hint="signet worker list",
                retry_after_seconds=5,
            )
        ident = _next_id(connection)
        stamps.keep(connection, plan.stamp, plan.sources)
        event = _created(ident, agent, plan, request, transaction)
        values = _values(ident, agent, plan, request, transaction) | {"caller": asked.caller}
        runs.insert(connection, values | {"last_sequence": 1, "event_bytes": event.ByteSize()}, request.input)
        events.insert(connection, ident, [event])
        if request.session:
            sessions.count_run(connection, request.session, _title(request.input), transaction.now)
        transaction.after(partial(self.bells.ring, PENDING))
        return run_in(connection, ident)


def _look(connection: Connection, request: Request) -> runs_pb2.Run | tuple[agents_pb2.Agent, Version]:
    """Find the run that this request made before, or else the agent that is asked and the policy it is under."""
    if known := _same(connection, request):
        return known
    agent = _agent(connection, request)
    policy = policies.in_force(connection, agent.policy.removeprefix("policies/"))
    if policy is None:
        raise effective.nothing(agent.name.removeprefix("agents/"))
    return agent, policy


def _same(connection: Connection, request: Request) -> runs_pb2.Run | None:
    """Find the run that this request made before. Raises AlreadyExists where another content did."""
    found = runs.by_request(connection, request.request_id) if request.request_id else None
    if found is None:
        return None
    ident, taken = found
    if taken != request.hash:
        raise AlreadyExists(
            "REQUEST_ID_REUSED",
            f"request_id {request.request_id!r} made runs/{ident} with another content",
            hint="choose a new request_id for a new request, and send the same content to retry",
        )
    return run_in(connection, ident)


def _agent(connection: Connection, request: Request) -> agents_pb2.Agent:
    """Find the agent that is asked, the session's where one is given."""
    if not request.session:
        return agent_in(connection, request.agent)
    owner = session_in(connection, request.session).agent.removeprefix("agents/")
    if request.agent and request.agent != owner:
        raise invalid(("agent", f"must be agents/{owner}, whose session this is, or empty"))
    return agent_in(connection, owner)


def _created(
    ident: str, agent: agents_pb2.Agent, plan: Plan, request: Request, transaction: Transaction
) -> events_pb2.RunEvent:
    created = events_pb2.RunCreated(agent=agent.name, model=plan.model, input=request.input, stamp=plan.stamp.digest)
    return events_pb2.RunEvent(run=f"runs/{ident}", sequence=1, time=stamp(transaction.now), created=created)


def _values(
    ident: str, agent: agents_pb2.Agent, plan: Plan, request: Request, transaction: Transaction
) -> dict[str, object]:
    return {
        "id": ident,
        "agent": agent.name.removeprefix("agents/"),
        "session": request.session or None,
        "state": runs_pb2.RUN_STATE_PENDING,
        "stamp": plan.stamp.digest,
        "plan": stamps.keep_body(transaction.connection, plan.assignment),
        "model": plan.model,
        "runtime": plan.runtime,
        "create_time": transaction.now,
        "request_id": request.request_id or None,
        "request_hash": request.hash if request.request_id else None,
    }


def _next_id(connection: Connection) -> str:
    """Make an id above the newest run's, so that runs made in one millisecond keep their order too."""
    newest = runs.newest(connection)
    ident = uuid7()
    for _ in range(_TRIES):  # a clock that was set back is not waited for
        if ident > newest:
            break
        ident = uuid7()
    return ident


def _title(text: str) -> str:
    line = " ".join(text[:1000].split())
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1]}…"
