"""Finding what a request names, or saying what is there instead."""

from control.store import agents, runs, sessions
from control.store.database import Connection
from signet.kit.errors import NotFound, near
from signet.v1 import agents_pb2, runs_pb2, sessions_pb2


def agent_in(connection: Connection, ident: str) -> agents_pb2.Agent:
    """Give an agent that is not deleted. Raises NotFound with near names."""
    found = agents.get(connection, ident)
    if found is None:
        close = near(ident, agents.names(connection))
        raise NotFound("AGENT_NOT_FOUND", f"there is no agents/{ident}.{close}", hint="signet agent list")
    if found.HasField("delete_time"):
        raise NotFound("AGENT_NOT_FOUND", f"agents/{ident} is deleted", hint=f"signet agent undelete {ident}")
    return found


def session_in(connection: Connection, ident: str) -> sessions_pb2.Session:
    """Give a session. Raises NotFound."""
    found = sessions.get(connection, ident)
    if found is None:
        raise NotFound("SESSION_NOT_FOUND", f"there is no sessions/{ident}", hint="signet session list")
    return found


def run_in(connection: Connection, ident: str) -> runs_pb2.Run:
    """Give a run, whole. Raises NotFound."""
    found = runs.get(connection, ident)
    if found is None:
        raise no_run(ident)
    return found


def no_run(ident: str) -> NotFound:
    """Say that a run is not there."""
    return NotFound("RUN_NOT_FOUND", f"there is no runs/{ident}", hint="signet runs list")
