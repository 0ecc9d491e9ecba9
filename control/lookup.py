"""Finding what a request names, or saying what is there instead."""

from control.store import agents, approvals, grants, policies, runs, sandboxes, sessions
from control.store.approvals import Approval
from control.store.database import Connection
from control.store.grants import Grant
from control.store.policies import Policy
from control.store.sandboxes import Sandbox
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


def approval_in(connection: Connection, ident: str) -> Approval:
    """Give an approval. Raises NotFound."""
    found = approvals.get(connection, ident)
    if found is None:
        raise NotFound("APPROVAL_NOT_FOUND", f"there is no approvals/{ident}", hint="signet approvals list")
    return found


def policy_in(connection: Connection, ident: str) -> Policy:
    """Give a policy. Raises NotFound with near names."""
    found = policies.get(connection, ident)
    if found is None:
        close = near(ident, policies.names(connection))
        raise NotFound("POLICY_NOT_FOUND", f"there is no policies/{ident}.{close}", hint="signet policy list")
    return found


def sandbox_in(connection: Connection, ident: str) -> Sandbox:
    """Give an open sandbox. Raises NotFound with near names."""
    found = sandboxes.get(connection, ident)
    if found is None:
        close = near(ident, sandboxes.names(connection))
        raise NotFound("SANDBOX_NOT_FOUND", f"there is no sandboxes/{ident}.{close}", hint="signet sandbox list")
    return found


def grant_in(connection: Connection, ident: str) -> Grant:
    """Give a grant, also one that is over. Raises NotFound."""
    found = grants.get(connection, ident)
    if found is None:
        raise NotFound("GRANT_NOT_FOUND", f"there is no grants/{ident}", hint="signet grant list")
    return found
