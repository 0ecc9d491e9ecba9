"""Agents: named STAMP configurations."""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from google.protobuf.field_mask_pb2 import FieldMask

from signet.client.checks import qualify, qualify_optional, utf8
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.v1 import agents_pb2 as pb
from signet.v1.agents_pb2_grpc import AgentServiceStub

if TYPE_CHECKING:
    from signet.v1.agents_pb2_grpc import AgentServiceAsyncStub


class AsyncAgents:
    """The agents of a fleet. Names may be short (`assistant`) or full (`agents/assistant`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "AgentServiceAsyncStub":
        return AgentServiceStub(self._connection.channels.control)

    async def create(
        self,
        name: str,
        *,
        description: str = "",
        soul: str = "",
        toolsets: Sequence[str] = (),
        runtime: str = "",
        model: str = "",
        limits: pb.RunLimits | None = None,
        policy: str = "",
    ) -> pb.Agent:
        """Store a new agent; what is left empty has its default.

        Raises AlreadyExists, InvalidArgument (with the bad fields), NotFound (soul, model, toolset or policy).
        """
        agent = pb.Agent(
            name=qualify("agents", name),
            description=utf8("description", description),
            soul=qualify_optional("souls", soul),
            toolsets=toolsets,
            runtime=runtime,
            model=qualify_optional("models", model),
            limits=limits,
            policy=qualify_optional("policies", policy),
        )
        request = pb.CreateAgentRequest(agent=agent)
        return (await self._connection.call(self._stub.CreateAgent, request, repeat=False)).agent

    async def get(self, name: str) -> pb.Agent:
        """Give one agent. Raises NotFound, with near names."""
        request = pb.GetAgentRequest(name=qualify("agents", name))
        return (await self._connection.call(self._stub.GetAgent, request)).agent

    def list(
        self, *, show_deleted: bool = False, page_size: int = 0, page_token: str = ""
    ) -> Pages[pb.ListAgentsResponse, pb.Agent]:
        """Give all agents by name, with `show_deleted` deleted ones too."""
        request = pb.ListAgentsRequest(show_deleted=show_deleted, page_size=page_size, page_token=page_token)
        return Pages(self._connection, lambda: self._stub.ListAgents, request, lambda page: page.agents)

    async def update(
        self,
        name: str,
        *,
        description: str | None = None,
        soul: str | None = None,
        toolsets: Sequence[str] | None = None,
        runtime: str | None = None,
        model: str | None = None,
        limits: pb.RunLimits | None = None,
        policy: str | None = None,
        etag: str = "",
    ) -> pb.Agent:
        """Change what is given and leave the rest; `limits` is changed whole.

        Raises as `create`, and Aborted where `etag` is given and somebody else was faster.
        """
        changes = {
            "description": description,
            "soul": None if soul is None else qualify_optional("souls", soul),
            "toolsets": toolsets,
            "runtime": runtime,
            "model": None if model is None else qualify_optional("models", model),
            "limits": limits,
            "policy": None if policy is None else qualify_optional("policies", policy),
        }
        given = {field: value for field, value in changes.items() if value is not None}
        agent = pb.Agent(name=qualify("agents", name), etag=etag, **given)  # type: ignore[arg-type] # as named above
        request = pb.UpdateAgentRequest(agent=agent, update_mask=FieldMask(paths=given))
        return (await self._connection.call(self._stub.UpdateAgent, request, repeat=False)).agent

    async def delete(self, name: str) -> pb.Agent:
        """Hide an agent; its runs and records stay. Raises NotFound, FailedPrecondition while it has active runs."""
        request = pb.DeleteAgentRequest(name=qualify("agents", name))
        return (await self._connection.call(self._stub.DeleteAgent, request, repeat=False)).agent

    async def undelete(self, name: str) -> pb.Agent:
        """Bring a deleted agent back as it was. Raises NotFound."""
        request = pb.UndeleteAgentRequest(name=qualify("agents", name))
        return (await self._connection.call(self._stub.UndeleteAgent, request)).agent
