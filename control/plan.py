"""What a run is executed with: an agent's five parts resolved as they are now, stamped, and made ready to hand out."""

import json
from dataclasses import dataclass
from typing import Any

from control import canonical, stamp
from control.directory import Directory
from control.library import Library
from control.stamp import Sources
from control.store.policies import Version
from signet.catalog.soul import Soul
from signet.catalog.toolsets import Tool, ToolsetRefused, offered
from signet.kit.errors import InvalidArgument, NotFound, SignetError, Violation, near
from signet.v1 import agents_pb2, models_pb2, policies_pb2, runs_pb2
from signet.work.v1 import work_pb2

RUNTIMES = ("builtin",)
"""Runtimes that an agent may name."""


@dataclass(frozen=True)
class Plan:
    """A stamp, the texts of its digests, and a serialized Assignment that lacks only run, lease, token and history."""

    stamp: runs_pb2.Stamp
    sources: dict[str, str]
    assignment: bytes
    model: str
    runtime: str


@dataclass(frozen=True)
class Planner:
    """Resolves agents. Souls are read from their files each time, models asked of the router."""

    library: Library
    directory: Directory
    version: str
    """Signet's, which is the builtin runtime's too."""

    async def plan(self, agent: agents_pb2.Agent, policy: Version, model: str = "") -> Plan:
        """Resolve an agent under a version of its policy, with another model where one is named.

        Raises NotFound (SOUL_NOT_FOUND, MODEL_NOT_FOUND, TOOL_NOT_FOUND), FailedPrecondition (SOUL_INVALID),
        InvalidArgument (TOOL_FORBIDDEN, not a chat model), Unavailable (ROUTER_UNAVAILABLE).
        """
        soul = await self.library.read(agent.soul)
        tools = tools_of(soul, agent)
        check_runtime(agent.runtime)
        found = await self.directory.model(model or agent.model)
        check_chat(found, "model")
        embedder = ""
        if found.profile.tool_choice == models_pb2.TOOL_CHOICE_EMBEDDING:
            embedder = await self.directory.embedder(found.provider)
        return make(Parts(agent, policy, soul, tools, found, embedder, self.version))


@dataclass(frozen=True)
class Parts:
    """What was resolved: all that a plan is made of. `version` is Signet's."""

    agent: agents_pb2.Agent
    policy: Version
    soul: Soul
    tools: tuple[Tool, ...]
    model: models_pb2.Model
    embedder: str
    version: str


def make(parts: Parts) -> Plan:
    """Stamp what was resolved. Pure: the same parts give the same plan."""
    agent, soul, tools = parts.agent, parts.soul, parts.tools
    lasting = models_pb2.Model()
    lasting.CopyFrom(parts.model)
    for passing in ("state", "state_detail", "is_default"):
        lasting.ClearField(passing)
    document = json.loads(parts.policy.canonical)
    sources = Sources(
        soul=soul.canonical,
        tools=canonical.text([_described(tool) for tool in tools]),
        runtime=canonical.text({"name": agent.runtime, "version": parts.version}),
        model=canonical.text(canonical.of(lasting)),
        permissions=canonical.text({"limits": canonical.of(agent.limits), "policy": document}),
    )
    named = policies_pb2.EffectivePolicy(policy=f"policies/{parts.policy.policy}", version=parts.policy.version)
    assignment = work_pb2.Assignment(
        soul=soul.text,
        tools=[_offer(tool) for tool in tools],
        runtime=agent.runtime,
        model=lasting,
        embedding_model=parts.embedder,
        limits=agent.limits,
        policy=work_pb2.PolicyOrder(policy=named),
    )
    return Plan(
        stamp=stamp.take(sources),
        sources=sources.by_digest(),
        assignment=assignment.SerializeToString(deterministic=True),
        model=lasting.name,
        runtime=agent.runtime,
    )


def tools_of(soul: Soul, agent: agents_pb2.Agent) -> tuple[Tool, ...]:
    """Decide which tools an agent is offered. Raises NotFound or InvalidArgument for a toolset it cannot have."""
    try:
        return offered(soul.policy, tuple(agent.toolsets))
    except ToolsetRefused as refused:
        raise _refusal(refused, agent) from refused


def check_runtime(runtime: str) -> None:
    """See that a runtime exists. Raises NotFound."""
    if runtime not in RUNTIMES:
        message = f"there is no runtime {runtime!r}.{near(runtime, RUNTIMES)}"
        raise NotFound("RUNTIME_NOT_FOUND", message, hint=f"the runtimes are {', '.join(RUNTIMES)}")


def check_chat(model: models_pb2.Model, field: str) -> None:
    """See that a model can chat. Raises InvalidArgument."""
    if not model.profile.chat:
        message = f"{model.name} answers no chat requests: choose another with `signet model list`"
        raise InvalidArgument("INVALID_FIELD", message, violations=[Violation(field, message)])


def _refusal(refused: ToolsetRefused, agent: agents_pb2.Agent) -> SignetError:
    field = f"agent.toolsets[{list(agent.toolsets).index(refused.toolset)}]"
    violations = [Violation(field, str(refused))]
    if refused.reason == "TOOL_NOT_FOUND":
        return NotFound(refused.reason, str(refused), violations=violations)
    return InvalidArgument(refused.reason, str(refused), violations=violations)


def _described(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "parameters": tool.parameters}


def _offer(tool: Tool) -> work_pb2.Tool:
    return work_pb2.Tool(
        name=tool.name,
        description=tool.description,
        parameters=canonical.text(tool.parameters),
        examples=tool.examples,
    )
