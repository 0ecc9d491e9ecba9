"""AgentService: named STAMP configurations."""

from functools import partial

from control import rollout
from control.agents import MASK, check, fill, merge
from control.bells import AGENTS, ORDERS, Bells
from control.lookup import agent_in, policy_in
from control.plan import Planner, check_chat, check_runtime, tools_of
from control.store import agents as store
from control.store.database import Connection
from control.store.readers import Readers
from control.store.writer import Transaction, Writer
from signet.kit.errors import Aborted, AlreadyExists, FailedPrecondition, invalid
from signet.kit.names import parse
from signet.kit.paging import Page
from signet.v1 import agents_pb2, agents_pb2_grpc


class AgentService(agents_pb2_grpc.AgentServiceServicer):
    """Serves agents."""

    def __init__(self, readers: Readers, writer: Writer, bells: Bells, planner: Planner) -> None:
        self._readers = readers
        self._writer = writer
        self._bells = bells
        self._planner = planner

    async def CreateAgent(
        self, request: agents_pb2.CreateAgentRequest, _context: object
    ) -> agents_pb2.CreateAgentResponse:
        """Store a new agent."""
        agent = fill(request.agent)
        check(agent)
        await self._resolve(agent)
        return agents_pb2.CreateAgentResponse(agent=await self._writer.write(partial(_create, agent)))

    async def GetAgent(self, request: agents_pb2.GetAgentRequest, _context: object) -> agents_pb2.GetAgentResponse:
        """Give an agent."""
        ident = parse("agents", request.name)
        return agents_pb2.GetAgentResponse(agent=await self._readers.read(partial(_shown, ident=ident)))

    async def ListAgents(
        self, request: agents_pb2.ListAgentsRequest, _context: object
    ) -> agents_pb2.ListAgentsResponse:
        """Give a page of agents."""
        page = Page.parse(request)
        after = str(page.position[0]) if page.position else ""
        query = partial(store.page, after=after, limit=page.size + 1, deleted=request.show_deleted)
        found = await self._readers.read(query)
        shown = found[: page.size]
        more = page.token(shown[-1].name.removeprefix("agents/")) if len(found) > page.size else ""
        return agents_pb2.ListAgentsResponse(agents=shown, next_page_token=more)

    async def UpdateAgent(
        self, request: agents_pb2.UpdateAgentRequest, _context: object
    ) -> agents_pb2.UpdateAgentResponse:
        """Change the fields of an agent that the mask names."""
        ident = parse("agents", request.agent.name, "agent.name")
        paths = tuple(request.update_mask.paths)
        bad = [(f"update_mask.paths[{index}]", f"{path!r} is none of {', '.join(MASK)}")
               for index, path in enumerate(paths) if path not in MASK]  # fmt: skip
        if bad or not paths:
            raise invalid(*(bad or [("update_mask", f"must name at least one of {', '.join(MASK)}")]))
        before = await self._readers.read(partial(agent_in, ident=ident))
        changed = fill(merge(before, request.agent, paths))
        check(changed)
        await self._resolve(changed)
        agent = await self._writer.write(partial(_update, ident, request.agent, paths, self._bells))
        return agents_pb2.UpdateAgentResponse(agent=agent)

    async def DeleteAgent(
        self, request: agents_pb2.DeleteAgentRequest, _context: object
    ) -> agents_pb2.DeleteAgentResponse:
        """Hide an agent."""
        ident = parse("agents", request.name)
        return agents_pb2.DeleteAgentResponse(agent=await self._writer.write(partial(_delete, ident, self._bells)))

    async def UndeleteAgent(
        self, request: agents_pb2.UndeleteAgentRequest, _context: object
    ) -> agents_pb2.UndeleteAgentResponse:
        """Bring a deleted agent back."""
        ident = parse("agents", request.name)
        return agents_pb2.UndeleteAgentResponse(agent=await self._writer.write(partial(_undelete, ident)))

    async def _resolve(self, agent: agents_pb2.Agent) -> None:
        """See that everything the agent names is there."""
        tools_of(await self._planner.library.read(agent.soul), agent)
        check_runtime(agent.runtime)
        await self._readers.read(partial(policy_in, ident=agent.policy.removeprefix("policies/")))
        check_chat(await self._planner.directory.model(agent.model), "agent.model")


def _shown(connection: Connection, ident: str) -> agents_pb2.Agent:
    found = store.get(connection, ident)
    return found or agent_in(connection, ident)


def _create(agent: agents_pb2.Agent, transaction: Transaction) -> agents_pb2.Agent:
    ident = agent.name.removeprefix("agents/")
    taken = store.get(transaction.connection, ident)
    if taken:
        deleted = taken.HasField("delete_time")
        hint = f"signet agent undelete {ident}" if deleted else "choose another name, or update this agent"
        state = "exists, deleted" if deleted else "exists"
        raise AlreadyExists("NAME_TAKEN", f"{agent.name} {state}", hint=hint)
    policy_in(transaction.connection, agent.policy.removeprefix("policies/"))
    store.insert(transaction.connection, agent, transaction.now)
    return agent_in(transaction.connection, ident)


def _update(
    ident: str, change: agents_pb2.Agent, paths: tuple[str, ...], bells: Bells, transaction: Transaction
) -> agents_pb2.Agent:
    now = agent_in(transaction.connection, ident)
    if change.etag and change.etag != now.etag:
        raise Aborted("ETAG_STALE", f"{now.name} was changed meanwhile", hint="read it again, then decide")
    changed = fill(merge(now, change, paths))
    if changed.policy != now.policy:
        policy_in(transaction.connection, changed.policy.removeprefix("policies/"))
    store.update(transaction.connection, changed, transaction.now)
    if changed.policy != now.policy:
        for name in (now.policy, changed.policy):
            rollout.settle(transaction, name.removeprefix("policies/"), bells)
        transaction.after(partial(bells.ring, ORDERS))
    return agent_in(transaction.connection, ident)


def _delete(ident: str, bells: Bells, transaction: Transaction) -> agents_pb2.Agent:
    agent = agent_in(transaction.connection, ident)
    if store.has_active_runs(transaction.connection, ident):
        raise FailedPrecondition(
            "RUNS_ACTIVE", f"{agent.name} has active runs", hint="wait for them, or cancel them: signet runs cancel"
        )
    store.set_deleted(transaction.connection, agent.name, transaction.now, deleted=True)
    transaction.after(partial(bells.ring, AGENTS))
    return _shown(transaction.connection, ident)


def _undelete(ident: str, transaction: Transaction) -> agents_pb2.Agent:
    agent = _shown(transaction.connection, ident)
    if agent.HasField("delete_time"):
        policy_in(transaction.connection, agent.policy.removeprefix("policies/"))  # it may be gone meanwhile
        store.set_deleted(transaction.connection, agent.name, transaction.now, deleted=False)
    return agent_in(transaction.connection, ident)
