"""SessionService: conversations with agents."""

from functools import partial

from control.lookup import agent_in, session_in
from control.store import sessions as store
from control.store.readers import Readers
from control.store.writer import Transaction, Writer
from signet.kit.errors import invalid
from signet.kit.names import parse, uuid7
from signet.kit.paging import Page
from signet.kit.times import micros
from signet.v1 import sessions_pb2, sessions_pb2_grpc

_TITLE = 200


class SessionService(sessions_pb2_grpc.SessionServiceServicer):
    """Serves sessions."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    async def CreateSession(
        self, request: sessions_pb2.CreateSessionRequest, _context: object
    ) -> sessions_pb2.CreateSessionResponse:
        """Begin a conversation."""
        agent = parse("agents", request.session.agent, "session.agent")
        title = _title(request.session.title)
        session = await self._writer.write(partial(_create, agent, title))
        return sessions_pb2.CreateSessionResponse(session=session)

    async def GetSession(
        self, request: sessions_pb2.GetSessionRequest, _context: object
    ) -> sessions_pb2.GetSessionResponse:
        """Give a session."""
        ident = parse("sessions", request.name)
        return sessions_pb2.GetSessionResponse(session=await self._readers.read(partial(session_in, ident=ident)))

    async def ListSessions(
        self, request: sessions_pb2.ListSessionsRequest, _context: object
    ) -> sessions_pb2.ListSessionsResponse:
        """Give a page of sessions."""
        page = Page.parse(request)
        before = (int(page.position[0]), str(page.position[1])) if page.position else None
        agent = parse("agents", request.agent, "agent") if request.agent else ""
        found = await self._readers.read(partial(store.page, before=before, limit=page.size + 1, agent=agent))
        shown = found[: page.size]
        more = ""
        if len(found) > page.size:
            last = shown[-1]
            more = page.token(micros(last.update_time), last.name.removeprefix("sessions/"))
        return sessions_pb2.ListSessionsResponse(sessions=shown, next_page_token=more)

    async def UpdateSession(
        self, request: sessions_pb2.UpdateSessionRequest, _context: object
    ) -> sessions_pb2.UpdateSessionResponse:
        """Change a session's title."""
        ident = parse("sessions", request.session.name, "session.name")
        title = _title(request.session.title)
        session = await self._writer.write(partial(_update, ident, title))
        return sessions_pb2.UpdateSessionResponse(session=session)

    async def DeleteSession(
        self, request: sessions_pb2.DeleteSessionRequest, _context: object
    ) -> sessions_pb2.DeleteSessionResponse:
        """Hide a session."""
        await self._writer.write(partial(_delete, parse("sessions", request.name)))
        return sessions_pb2.DeleteSessionResponse()


def _title(title: str) -> str:
    if len(title) > _TITLE:
        raise invalid(("session.title", f"must be at most {_TITLE} characters, not {len(title)}"))
    return title.strip()


def _create(agent: str, title: str, transaction: Transaction) -> sessions_pb2.Session:
    agent_in(transaction.connection, agent)
    ident = uuid7()
    store.insert(transaction.connection, ident, agent, title, transaction.now)
    return session_in(transaction.connection, ident)


def _update(ident: str, title: str, transaction: Transaction) -> sessions_pb2.Session:
    session_in(transaction.connection, ident)
    store.set_title(transaction.connection, ident, title)
    return session_in(transaction.connection, ident)


def _delete(ident: str, transaction: Transaction) -> None:
    session_in(transaction.connection, ident)
    store.set_deleted(transaction.connection, ident, transaction.now)
