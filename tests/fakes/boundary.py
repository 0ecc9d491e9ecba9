"""Policies, approvals, grants, sandboxes and secrets in memory, served beside the fake fleet."""

import asyncio
import io
import tarfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from signet.kit.errors import FailedPrecondition, InvalidArgument, NotFound, Violation, near
from signet.kit.names import uuid7
from signet.kit.paging import Page
from signet.kit.rpc import Service
from signet.v1 import (
    approvals_pb2,
    approvals_pb2_grpc,
    events_pb2,
    policies_pb2,
    policies_pb2_grpc,
    sandboxes_pb2,
    sandboxes_pb2_grpc,
    secrets_pb2,
    secrets_pb2_grpc,
)
from tests.fakes.commands import Running

DOCUMENT = "version: 1\ndescription: Writes its workspace and reaches nothing\n"
WIDER = """version: 1
description: May read example.org
network:
  site:
    endpoints:
      - {host: example.org, port: 443}
"""


def _time(seconds: int = 0) -> Timestamp:
    moment = Timestamp()
    moment.GetCurrentTime()
    moment.seconds += seconds
    return moment


@dataclass
class Boundary:
    """What is kept of all that. `folder`: the workspace in which commands really run."""

    note: Callable[[Message], None] = lambda _: None
    folder: Path | None = None
    policies: dict[str, policies_pb2.Policy] = field(default_factory=dict)
    versions: dict[str, list[policies_pb2.PolicyVersion]] = field(default_factory=dict)
    approvals: dict[str, approvals_pb2.Approval] = field(default_factory=dict)
    grants: dict[str, policies_pb2.Grant] = field(default_factory=dict)
    sandboxes: dict[str, sandboxes_pb2.Sandbox] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    secrets: dict[str, tuple[secrets_pb2.Secret, str]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=lambda: ["f" * 16])
    problem: str = ""
    watchers: list[asyncio.Queue[approvals_pb2.Approval | None]] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Sizes of terminals that were asked for."""
    packed: bytes = b""
    """What a pack gives in place of what is there."""

    def policy(self, name: str, *documents: str) -> None:
        """Keep a policy in versions, the last in force."""
        built_in = name == "default"
        first = len(self.versions.get(name, ()))
        for number, document in enumerate(documents, first + 1):
            for older in self.versions.get(name, ()):
                older.state = policies_pb2.POLICY_STATE_SUPERSEDED
            self.versions.setdefault(name, []).append(
                policies_pb2.PolicyVersion(
                    policy=f"policies/{name}", version=number, state=policies_pb2.POLICY_STATE_LOADED,
                    document=document, digest=f"{number:x}" * 64, caller="tokens/operator", create_time=_time(),
                    loaded=1, sandboxes=1,
                )
            )  # fmt: skip
        newest = len(self.versions[name])
        self.policies[f"policies/{name}"] = policies_pb2.Policy(
            name=f"policies/{name}", description=documents[-1].splitlines()[1].partition(": ")[2], version=newest,
            newest_version=newest, agents=1, built_in=built_in, create_time=_time(), update_time=_time(),
        )  # fmt: skip

    def ask(self, host: str = "api.example.org", *, command: str = "", run: str = "", session: str = "") -> str:
        """Put a question and give its name."""
        ask = policies_pb2.Ask(network=policies_pb2.NetworkAsk(host=host, port=443, binary="/usr/bin/curl"))
        if command:
            ask = policies_pb2.Ask(command=policies_pb2.CommandAsk(command=command))
        approval = approvals_pb2.Approval(
            name=f"approvals/{uuid7()}", agent="agents/assistant", run=run, session=session, ask=ask,
            blast_radius=f"Everything in the sandbox could send anything to {host} on port 443.",
            state=approvals_pb2.APPROVAL_STATE_PENDING, create_time=_time(), expire_time=_time(600),
        )  # fmt: skip
        self.tell(approval)
        return approval.name

    def tell(self, approval: approvals_pb2.Approval) -> None:
        """Keep an approval as it now is, and tell whoever watches."""
        self.approvals[approval.name] = approval
        for queue in self.watchers:
            queue.put_nowait(approval)

    def close(self) -> None:
        """End what waits."""
        for queue in self.watchers:
            queue.put_nowait(None)


def fenced() -> Boundary:
    """Make one with a policy of two versions, a built-in one, and a sandbox."""
    boundary = Boundary()
    boundary.policy("default", DOCUMENT)
    boundary.policy("reader", DOCUMENT, WIDER)
    layers = [
        events_pb2.IsolationLayer(name=name, state=state, detail=detail)
        for name, state, detail in (
            ("network namespace", events_pb2.ISOLATION_STATE_ENFORCED, "no route"),
            ("landlock", events_pb2.ISOLATION_STATE_PARTIAL, "ABI 4: no device ioctl"),
            ("limits", events_pb2.ISOLATION_STATE_ABSENT, "no group"),
        )
    ]
    boundary.sandboxes["sandboxes/local.assistant-1"] = sandboxes_pb2.Sandbox(
        name="sandboxes/local.assistant-1", agent="agents/assistant", worker="workers/local", tier="standard",
        state=sandboxes_pb2.SANDBOX_STATE_IDLE, policy="policies/default", policy_version=1, policy_digest="a" * 64,
        isolation=events_pb2.IsolationReport(layers=layers), open_time=_time(-120), memory_bytes=12 << 20,
        processes=3, workspace_bytes=4096,
    )  # fmt: skip
    boundary.lines += ["opened in 12 ms", "deny api.example.org:443 by default"]
    return boundary


def reaching() -> list[events_pb2.RunEvent]:
    """Script what a run reached and what it was refused."""
    told = (
        ("packages.example.org", "allow", "network.preset.python-packages.endpoints[0]", ""),
        ("api.example.org", "deny", "default", "nothing lets api.example.org:443 through"),
        ("x.example.org", "audit", "default", "it would be denied under `enforce`"),
    )
    return [
        events_pb2.RunEvent(
            egress_decided=events_pb2.EgressDecided(
                host=host, port=443, binary="/usr/bin/curl", verdict=verdict, rule=rule, reason=reason, count=2
            )
        )
        for host, verdict, rule, reason in told
    ]


def asks(approval: str, text: str) -> events_pb2.RunEvent:
    """Script that a person is asked."""
    return events_pb2.RunEvent(approval_requested=events_pb2.ApprovalRequested(approval=approval, text=text))


def answered(approval: str, answer: str) -> events_pb2.RunEvent:
    """Script that a person answered."""
    told = events_pb2.ApprovalAnswered(approval=approval, answer=answer, caller="tokens/operator")
    return events_pb2.RunEvent(approval_answered=told)


def _page(request: Any, rows: list[Any]) -> tuple[list[Any], str]:
    page = Page.parse(request)
    start = int(page.position[0]) if page.position else 0
    end = start + page.size
    return rows[start:end], page.token(end) if end < len(rows) else ""


def _found(rows: Mapping[str, Any], name: str, noun: str, reason: str = "") -> Any:
    if name not in rows:
        reason = reason or f"{noun.upper()}_NOT_FOUND"
        raise NotFound(reason, f"no {noun} is named {name!r}.{near(name, rows)}", hint=f"signet {noun} list")
    return rows[name]


class Policies(policies_pb2_grpc.PolicyServiceServicer):
    """Takes what holds `version: 1` for good."""

    def __init__(self, kept: Boundary) -> None:
        self.kept = kept

    async def ApplyPolicy(self, request: Any, context: Any) -> Any:
        self.kept.note(request)
        if not request.document.startswith("version: 1\n"):
            bad = Violation("line 1, column 1", "version must be 1")
            raise InvalidArgument("POLICY_INVALID", "the document is bad", violations=[bad])
        if request.dry_run:
            made = policies_pb2.PolicyVersion(policy=request.name, document=request.document)
            return policies_pb2.ApplyPolicyResponse(version=made, changes=["network.site: added"])
        name = request.name.partition("/")[2]
        self.kept.policy(name, request.document)
        made = self.kept.versions[name][-1]
        return policies_pb2.ApplyPolicyResponse(version=made, changes=["network.site: added"])

    async def GetPolicy(self, request: Any, context: Any) -> Any:
        policy = _found(self.kept.policies, request.name, "policy")
        versions = self.kept.versions[request.name.partition("/")[2]]
        return policies_pb2.GetPolicyResponse(policy=policy, version=versions[policy.version - 1])

    async def ListPolicies(self, request: Any, context: Any) -> Any:
        rows, token = _page(request, [row for _, row in sorted(self.kept.policies.items())])
        return policies_pb2.ListPoliciesResponse(policies=rows, next_page_token=token)

    async def DeletePolicy(self, request: Any, context: Any) -> Any:
        policy = _found(self.kept.policies, request.name, "policy")
        if policy.built_in:
            raise FailedPrecondition("BUILT_IN", f"{policy.name} is built in")
        del self.kept.policies[request.name]
        return policies_pb2.DeletePolicyResponse()

    async def ListPolicyVersions(self, request: Any, context: Any) -> Any:
        _found(self.kept.policies, request.policy, "policy")
        versions = self.kept.versions[request.policy.partition("/")[2]]
        rows, token = _page(request, list(reversed(versions)))
        return policies_pb2.ListPolicyVersionsResponse(versions=rows, next_page_token=token)

    async def GetPolicyVersion(self, request: Any, context: Any) -> Any:
        _found(self.kept.policies, request.policy, "policy")
        versions = self.kept.versions[request.policy.partition("/")[2]]
        if not 1 <= request.version <= len(versions):
            raise NotFound("POLICY_NOT_FOUND", f"{request.policy} has no version {request.version}")
        return policies_pb2.GetPolicyVersionResponse(version=versions[request.version - 1])

    async def GetEffectivePolicy(self, request: Any, context: Any) -> Any:
        if request.agent != "agents/assistant":
            raise NotFound("AGENT_NOT_FOUND", f"no agent is named {request.agent!r}", hint="signet agent list")
        effective = policies_pb2.EffectivePolicy(
            agent=request.agent, policy="policies/default", version=1, document='{"version":1}', digest="a" * 64,
            grants=list(self.kept.grants.values()),
        )  # fmt: skip
        return policies_pb2.GetEffectivePolicyResponse(policy=effective)


class Approvals(approvals_pb2_grpc.ApprovalServiceServicer):
    def __init__(self, kept: Boundary) -> None:
        self.kept = kept

    async def ListApprovals(self, request: Any, context: Any) -> Any:
        found = [
            row
            for row in reversed(self.kept.approvals.values())
            if request.agent in {"", row.agent} and (not request.states or row.state in request.states)
        ]
        rows, token = _page(request, found)
        return approvals_pb2.ListApprovalsResponse(approvals=rows, next_page_token=token)

    async def GetApproval(self, request: Any, context: Any) -> Any:
        return approvals_pb2.GetApprovalResponse(approval=_found(self.kept.approvals, request.name, "approval"))

    async def AnswerApproval(self, request: Any, context: Any) -> Any:
        self.kept.note(request)
        approval = _found(self.kept.approvals, request.name, "approval")
        if approval.state not in {approvals_pb2.APPROVAL_STATE_PENDING, request.answer}:
            raise FailedPrecondition("APPROVAL_FINAL", f"{approval.name} was answered already")
        approval.state, approval.caller = request.answer, "tokens/operator"
        approval.answer_time.GetCurrentTime()
        if request.answer == approvals_pb2.APPROVAL_STATE_APPROVED and not approval.grant:
            grant = policies_pb2.Grant(
                name=f"grants/{uuid7()}", agent=approval.agent, ask=approval.ask,
                scope=request.scope or policies_pb2.GRANT_SCOPE_RUN,
                caller="tokens/operator", create_time=_time(), approval=approval.name,
                expire_time=_time(request.hold_seconds) if request.hold_seconds else None,
            )  # fmt: skip
            self.kept.grants[grant.name] = grant
            approval.grant = grant.name
        self.kept.tell(approval)
        return approvals_pb2.AnswerApprovalResponse(approval=approval)

    async def WatchApprovals(self, request: Any, context: Any) -> AsyncIterator[Any]:
        queue: asyncio.Queue[approvals_pb2.Approval | None] = asyncio.Queue()
        self.kept.watchers.append(queue)
        try:
            for waiting in list(self.kept.approvals.values()):
                if waiting.state == approvals_pb2.APPROVAL_STATE_PENDING:
                    yield approvals_pb2.WatchApprovalsResponse(approval=waiting)
            while approval := await queue.get():
                yield approvals_pb2.WatchApprovalsResponse(approval=approval)
        finally:
            self.kept.watchers.remove(queue)

    async def ListGrants(self, request: Any, context: Any) -> Any:
        found = [
            row
            for row in reversed(self.kept.grants.values())
            if request.agent in {"", row.agent} and (request.show_ended or not row.HasField("revoke_time"))
        ]
        rows, token = _page(request, found)
        return approvals_pb2.ListGrantsResponse(grants=rows, next_page_token=token)

    async def RevokeGrant(self, request: Any, context: Any) -> Any:
        grant = _found(self.kept.grants, request.name, "grant")
        grant.revoke_time.GetCurrentTime()
        return approvals_pb2.RevokeGrantResponse(grant=grant)


class Sandboxes(sandboxes_pb2_grpc.SandboxServiceServicer):
    """Runs commands as processes of this machine, in the boundary's folder."""

    def __init__(self, kept: Boundary) -> None:
        self.kept = kept

    async def ListSandboxes(self, request: Any, context: Any) -> Any:
        rows, token = _page(request, [row for row in self.kept.sandboxes.values() if request.agent in {"", row.agent}])
        return sandboxes_pb2.ListSandboxesResponse(sandboxes=rows, next_page_token=token)

    async def GetSandbox(self, request: Any, context: Any) -> Any:
        return sandboxes_pb2.GetSandboxResponse(sandbox=_found(self.kept.sandboxes, request.name, "sandbox"))

    async def StopSandbox(self, request: Any, context: Any) -> Any:
        sandbox = _found(self.kept.sandboxes, request.name, "sandbox")
        if sandbox.run and not request.force:
            raise FailedPrecondition("SANDBOX_BUSY", f"{sandbox.run} is in {sandbox.name}", hint="--force")
        del self.kept.sandboxes[request.name]
        return sandboxes_pb2.StopSandboxResponse()

    async def WatchSandboxLogs(self, request: Any, context: Any) -> AsyncIterator[Any]:
        _found(self.kept.sandboxes, request.name, "sandbox")
        for line in list(self.kept.lines):
            yield sandboxes_pb2.WatchSandboxLogsResponse(time=_time(), event="egress", text=line)
        if request.follow:
            yield sandboxes_pb2.WatchSandboxLogsResponse(time=_time(), event="idle", text="waits for a run")

    async def ExecSandbox(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        first = await anext(requests)
        self.kept.note(first)
        start = first.start
        if start.target.startswith("agents/") and start.target != "agents/assistant":
            raise NotFound("AGENT_NOT_FOUND", f"no agent is named {start.target!r}", hint="signet agent list")
        yield sandboxes_pb2.ExecSandboxResponse(started="sandboxes/local.assistant-1")
        kinds = {"command": self._command, "pack": self._pack, "unpack": self._unpack}
        async for answer in kinds[start.WhichOneof("what") or "command"](start, requests):
            yield answer

    async def _command(self, start: Any, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        running = await Running.begin(start.command, self.kept.folder, self.kept.sizes)
        async for answer in running.go(requests):
            yield answer

    async def _pack(self, start: Any, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        path = (self.kept.folder or Path()) / start.pack
        if not (path.exists() or self.kept.packed):
            yield sandboxes_pb2.ExecSandboxResponse(stderr=f"{start.pack}: No such file or directory\n".encode())
            yield sandboxes_pb2.ExecSandboxResponse(exited=sandboxes_pb2.ExecExit(code=1))
            return
        body = io.BytesIO(self.kept.packed)
        if not self.kept.packed:
            with tarfile.open(fileobj=body, mode="w") as tar:
                tar.add(path, path.name)
        for offset in range(0, len(body.getvalue()), 65_536):
            yield sandboxes_pb2.ExecSandboxResponse(stdout=body.getvalue()[offset : offset + 65_536])
        yield sandboxes_pb2.ExecSandboxResponse(exited=sandboxes_pb2.ExecExit(code=0))

    async def _unpack(self, start: Any, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        body = io.BytesIO()
        async for request in requests:
            if request.WhichOneof("kind") == "stdin_end":
                break
            body.write(request.stdin)
        body.seek(0)
        with tarfile.open(fileobj=body) as tar:
            tar.extractall((self.kept.folder or Path()) / start.unpack, filter="data")
        yield sandboxes_pb2.ExecSandboxResponse(exited=sandboxes_pb2.ExecExit(code=0))


class Secrets(secrets_pb2_grpc.SecretServiceServicer):
    def __init__(self, kept: Boundary) -> None:
        self.kept = kept

    async def PutSecret(self, request: Any, context: Any) -> Any:
        secret = secrets_pb2.Secret(create_time=_time(), update_time=_time())
        secret.MergeFrom(request.secret)
        secret.origin = secrets_pb2.SECRET_ORIGIN_STORED
        self.kept.secrets[secret.name] = (secret, request.value)
        return secrets_pb2.PutSecretResponse(secret=secret)

    async def ListSecrets(self, request: Any, context: Any) -> Any:
        rows, token = _page(request, [row for _, (row, _) in sorted(self.kept.secrets.items())])
        return secrets_pb2.ListSecretsResponse(secrets=rows, next_page_token=token)

    async def DeleteSecret(self, request: Any, context: Any) -> Any:
        _found(self.kept.secrets, request.name, "secret")
        del self.kept.secrets[request.name]
        return secrets_pb2.DeleteSecretResponse()

    async def GetVault(self, request: Any, context: Any) -> Any:
        return secrets_pb2.GetVaultResponse(vault=self._vault())

    async def RotateVaultKey(self, request: Any, context: Any) -> Any:
        self.kept.keys.insert(0, f"{len(self.kept.keys):016x}")
        return secrets_pb2.RotateVaultKeyResponse(vault=self._vault())

    def _vault(self) -> secrets_pb2.Vault:
        keys = [secrets_pb2.VaultKey(id=ident) for ident in self.kept.keys]
        keys[0].values = len(self.kept.secrets)
        return secrets_pb2.Vault(keys=keys, problem=self.kept.problem)


def control_services(kept: Boundary) -> list[Service]:
    """Give what control serves of it."""
    return [
        _service(policies_pb2, "Policy", policies_pb2_grpc, Policies(kept)),
        _service(approvals_pb2, "Approval", approvals_pb2_grpc, Approvals(kept)),
        _service(sandboxes_pb2, "Sandbox", sandboxes_pb2_grpc, Sandboxes(kept)),
    ]


def router_services(kept: Boundary) -> list[Service]:
    """Give what the router serves of it."""
    return [_service(secrets_pb2, "Secret", secrets_pb2_grpc, Secrets(kept))]


def _service(messages: Any, noun: str, stubs: Any, servicer: Any) -> Service:
    name = f"{noun}Service"
    return Service(
        messages.DESCRIPTOR.services_by_name[name], getattr(stubs, f"add_{name}Servicer_to_server"), servicer
    )
