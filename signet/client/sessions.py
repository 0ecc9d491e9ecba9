"""Sessions: conversations with agents."""

from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify, qualify_optional, utf8
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.v1 import sessions_pb2 as pb
from signet.v1.sessions_pb2_grpc import SessionServiceStub

if TYPE_CHECKING:
    from signet.v1.sessions_pb2_grpc import SessionServiceAsyncStub


class AsyncSessions:
    """The conversations of a fleet. Names may be an id or `sessions/{id}`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "SessionServiceAsyncStub":
        return SessionServiceStub(self._connection.channels.control)

    async def create(self, agent: str, *, title: str = "") -> pb.Session:
        """Begin a conversation; without a title it takes one from its first input. Raises NotFound (agent)."""
        session = pb.Session(agent=qualify("agents", agent), title=utf8("title", title))
        request = pb.CreateSessionRequest(session=session)
        return (await self._connection.call(self._stub.CreateSession, request, repeat=False)).session

    async def get(self, name: str) -> pb.Session:
        """Give one session. Raises NotFound."""
        request = pb.GetSessionRequest(name=qualify("sessions", name))
        return (await self._connection.call(self._stub.GetSession, request)).session

    def list(
        self, *, agent: str = "", page_size: int = 0, page_token: str = ""
    ) -> Pages[pb.ListSessionsResponse, pb.Session]:
        """Give sessions, newest activity first; with `agent`, only that one's."""
        request = pb.ListSessionsRequest(
            agent=qualify_optional("agents", agent), page_size=page_size, page_token=page_token
        )
        return Pages(self._connection, lambda: self._stub.ListSessions, request, lambda page: page.sessions)

    async def rename(self, name: str, title: str) -> pb.Session:
        """Change a session's title, at most 200 characters. Raises NotFound, InvalidArgument."""
        session = pb.Session(name=qualify("sessions", name), title=utf8("title", title))
        request = pb.UpdateSessionRequest(session=session)
        return (await self._connection.call(self._stub.UpdateSession, request)).session

    async def delete(self, name: str) -> None:
        """Hide a session; its runs and records stay. Raises NotFound."""
        request = pb.DeleteSessionRequest(name=qualify("sessions", name))
        await self._connection.call(self._stub.DeleteSession, request, repeat=False)
