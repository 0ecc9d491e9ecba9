"""What control orders to be in force for an agent: read once, and passed on whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from signet.kit.times import micros
from signet.policy import canonical
from signet.policy.decision import GrantView
from signet.policy.model import Policy
from signet.policy.static import static_digest
from signet.v1 import policies_pb2
from signet.work.v1 import work_pb2
from workers.sandbox.spec import Limits, Spec, WorkspaceMode

NOTHING = Policy()
"""In force where an order names no policy: a workspace, and nothing beyond it."""
_WORKSPACES: Mapping[str, WorkspaceMode] = {"read-write": "read-write", "read-only": "read-only", "off": "off"}


@dataclass(frozen=True, slots=True)
class Permissions:
    """What is in force for one agent.

    `agent` is its bare name, `name` is `policies/{policy}`, `digest` is control's over all of it. `document` is the
    policy's canonical form. `static` is the same for two that need no new sandbox between them. `grants` are the
    agent's, of every scope. The token is for sidecars and never enters a sandbox.
    """

    agent: str
    name: str
    version: int
    digest: str
    policy: Policy
    document: str
    static: str
    grants: tuple[policies_pb2.Grant, ...] = ()
    secrets_token: str = field(default="", repr=False)

    def applying(self, run: str = "", session: str = "") -> tuple[GrantView, ...]:
        """Give the grants that reach a run of a session; with neither, those of the agent alone."""
        return tuple(_view(grant) for grant in self.grants if _reaches(grant, run, session))

    def order(self) -> work_pb2.PolicyOrder:
        """Write it as control does."""
        effective = policies_pb2.EffectivePolicy(
            agent=f"agents/{self.agent}",
            policy=self.name,
            version=self.version,
            document=self.document,
            grants=self.grants,
            digest=self.digest,
        )
        return work_pb2.PolicyOrder(policy=effective, secrets_token=self.secrets_token)


def permissions(order: work_pb2.PolicyOrder, agent: str = "") -> Permissions:
    """Read an order; `agent` stands in where it names none. Raises ValueError that says what is wrong with it."""
    effective = order.policy
    policy = canonical.load(effective.document) if effective.document else NOTHING
    return Permissions(
        agent=effective.agent.removeprefix("agents/") or agent,
        name=effective.policy,
        version=effective.version,
        digest=effective.digest,
        policy=policy,
        document=effective.document or canonical.dump(policy),
        static=static_digest(policy),
        grants=tuple(effective.grants),
        secrets_token=order.secrets_token,
    )


def spec(
    policy: Policy,
    *,
    name: str,
    workspace: Path,
    uid: int | None,
    listeners: Mapping[str, tuple[str, int]],
    env: Mapping[str, str],
    files: Mapping[str, Path],
) -> Spec:
    """Say what sandbox a policy asks for. Raises ValueError for what no sandbox can be."""
    folders, resources = policy.filesystem, policy.resources
    tier: Literal["standard", "strict"] = "strict" if policy.tier == "strict" else "standard"
    limits = Limits(
        processes=resources.pids,
        open_files=policy.process.open_files,
        file_bytes=policy.process.file_bytes,
        tmp_bytes=resources.tmp_bytes,
        memory_bytes=resources.memory_bytes,
        cpu=resources.cpu,
        disk_bytes=resources.disk_bytes,
    )
    return Spec(
        name=name,
        workspace=workspace,
        host_uid=uid,
        listeners=listeners,
        limits=limits,
        env=env,
        read_only=tuple(map(Path, folders.read_only)),
        read_write=tuple(map(Path, folders.read_write)),
        best_effort=frozenset({"landlock"} if policy.landlock == "best_effort" else ()),
        tier=tier,
        workspace_mode=_WORKSPACES[folders.workspace],
        files=files,
    )


def _view(grant: policies_pb2.Grant) -> GrantView:
    network = grant.ask.network
    return GrantView(
        name=grant.name,
        kind="network" if grant.ask.HasField("network") else "command",
        host=network.host,
        port=network.port,
        command=grant.ask.command.command,
        expires=micros(grant.expire_time) / 1e6 if grant.HasField("expire_time") else None,
    )


def _reaches(grant: policies_pb2.Grant, run: str, session: str) -> bool:
    if grant.scope == policies_pb2.GRANT_SCOPE_AGENT:
        return True
    if grant.scope == policies_pb2.GRANT_SCOPE_SESSION:
        return bool(session) and grant.subject == session
    return grant.scope == policies_pb2.GRANT_SCOPE_RUN and bool(run) and grant.subject == run
