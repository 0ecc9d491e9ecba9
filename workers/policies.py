"""What control orders to be in force for an agent, read once and passed on whole."""

import hashlib
from dataclasses import dataclass, field

from signet.v1 import policies_pb2
from signet.work.v1 import work_pb2


@dataclass(frozen=True, slots=True)
class Permissions:
    """What is in force for one agent.

    `agent` is its bare name, `name` is `policies/{policy}`, `digest` is control's over all of it. `grants` are the
    agent's, of every scope. `static` is the same for two that need no new sandbox between them. The token is for
    sidecars and never enters a sandbox.
    """

    agent: str
    name: str
    version: int
    digest: str
    document: str
    static: str
    grants: tuple[policies_pb2.Grant, ...] = ()
    secrets_token: str = field(default="", repr=False)

    def applying(self, run: str, session: str) -> tuple[policies_pb2.Grant, ...]:
        """Give the grants that reach a run of a session; with neither, those of the agent alone."""
        return tuple(grant for grant in self.grants if _reaches(grant, run, session))


def permissions(order: work_pb2.PolicyOrder, agent: str = "") -> Permissions:
    """Read an order; `agent` stands in where it names none. Raises ValueError that says what is wrong with it."""
    policy = order.policy
    return Permissions(
        agent=policy.agent.removeprefix("agents/") or agent,
        name=policy.policy,
        version=policy.version,
        digest=policy.digest,
        document=policy.document,
        static=hashlib.sha256(policy.document.encode()).hexdigest(),
        grants=tuple(policy.grants),
        secrets_token=order.secrets_token,
    )


def _reaches(grant: policies_pb2.Grant, run: str, session: str) -> bool:
    if grant.scope == policies_pb2.GRANT_SCOPE_AGENT:
        return True
    if grant.scope == policies_pb2.GRANT_SCOPE_SESSION:
        return bool(session) and grant.subject == session
    return grant.scope == policies_pb2.GRANT_SCOPE_RUN and bool(run) and grant.subject == run
