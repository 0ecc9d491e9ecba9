"""Who may call what: every method of control names the scopes that may use it. What is not named, nobody may."""

from collections.abc import Mapping

from signet.kit.auth import Caller
from signet.kit.errors import PermissionDenied

OPERATOR = "OPERATOR"
VIEWER = "VIEWER"
WORKER = "WORKER"
RUN = "RUN"
"""That of a run's own token, which the router presents to ask whether it still holds."""

_READ = frozenset({OPERATOR, VIEWER})
_CHANGE = frozenset({OPERATOR})
_WORK = frozenset({OPERATOR, WORKER})

OPEN = "/signet.v1.TokenService/ExchangeSignInCode"
"""The one method that needs no token: it is how a browser gets one."""

SCOPES: Mapping[str, frozenset[str]] = {
    "/signet.v1.AgentService/CreateAgent": _CHANGE,
    "/signet.v1.AgentService/GetAgent": _READ,
    "/signet.v1.AgentService/ListAgents": _READ,
    "/signet.v1.AgentService/UpdateAgent": _CHANGE,
    "/signet.v1.AgentService/DeleteAgent": _CHANGE,
    "/signet.v1.AgentService/UndeleteAgent": _CHANGE,
    "/signet.v1.SoulService/ListSouls": _READ,
    "/signet.v1.SoulService/GetSoul": _READ,
    "/signet.v1.SessionService/CreateSession": _CHANGE,
    "/signet.v1.SessionService/GetSession": _READ,
    "/signet.v1.SessionService/ListSessions": _READ,
    "/signet.v1.SessionService/UpdateSession": _CHANGE,
    "/signet.v1.SessionService/DeleteSession": _CHANGE,
    "/signet.v1.RunService/CreateRun": _CHANGE,
    "/signet.v1.RunService/GetRun": _READ,
    "/signet.v1.RunService/ListRuns": _READ,
    "/signet.v1.RunService/CancelRun": _CHANGE,
    "/signet.v1.RunService/WatchRunEvents": _READ,
    "/signet.v1.RunService/GetRecord": _READ,
    "/signet.v1.RunService/GetBlob": _READ,
    "/signet.v1.WorkerService/ListWorkers": _READ,
    "/signet.v1.WorkerService/GetWorker": _READ,
    "/signet.v1.WorkerService/DrainWorker": _CHANGE,
    "/signet.v1.TokenService/CreateToken": _CHANGE,
    "/signet.v1.TokenService/ListTokens": _CHANGE,
    "/signet.v1.TokenService/RevokeToken": _CHANGE,
    "/signet.v1.TokenService/CheckToken": _READ | {RUN},
    "/signet.v1.TokenService/CreateSignInCode": _CHANGE,
    "/signet.v1.PolicyService/ApplyPolicy": _CHANGE,
    "/signet.v1.PolicyService/GetPolicy": _READ,
    "/signet.v1.PolicyService/ListPolicies": _READ,
    "/signet.v1.PolicyService/DeletePolicy": _CHANGE,
    "/signet.v1.PolicyService/ListPolicyVersions": _READ,
    "/signet.v1.PolicyService/GetPolicyVersion": _READ,
    "/signet.v1.PolicyService/GetEffectivePolicy": _READ,
    "/signet.v1.ApprovalService/ListApprovals": _READ,
    "/signet.v1.ApprovalService/GetApproval": _READ,
    "/signet.v1.ApprovalService/AnswerApproval": _CHANGE,
    "/signet.v1.ApprovalService/WatchApprovals": _READ,
    "/signet.v1.ApprovalService/ListGrants": _READ,
    "/signet.v1.ApprovalService/RevokeGrant": _CHANGE,
    "/signet.v1.SandboxService/ListSandboxes": _READ,
    "/signet.v1.SandboxService/GetSandbox": _READ,
    "/signet.v1.SandboxService/StopSandbox": _CHANGE,
    "/signet.v1.SandboxService/ExecSandbox": _CHANGE,
    "/signet.v1.SandboxService/WatchSandboxLogs": _READ,
    "/signet.work.v1.WorkService/RegisterWorker": _WORK,
    "/signet.work.v1.WorkService/ClaimRun": _WORK,
    "/signet.work.v1.WorkService/RenewLeases": _WORK,
    "/signet.work.v1.WorkService/WatchDirectives": _WORK,
    "/signet.work.v1.WorkService/AppendEvents": _WORK,
    "/signet.work.v1.WorkService/PutBlob": _WORK,
    "/signet.work.v1.WorkService/FinishRun": _WORK,
    "/signet.work.v1.WorkService/ReportSandboxes": _WORK,
    "/signet.work.v1.WorkService/AskApproval": _WORK,
    "/signet.work.v1.WorkService/Attach": _WORK,
}


def permit(method: str, caller: Caller) -> None:
    """Let a caller use a method. Raises PermissionDenied (SCOPE_MISSING) that says which scopes could."""
    allowed = SCOPES.get(method, frozenset())
    if caller.scope not in allowed:
        could = " or ".join(sorted(allowed)) or "nobody"
        raise PermissionDenied(
            "SCOPE_MISSING",
            f"{caller.name} has the scope {caller.scope}, and {method} is for {could}",
            hint="signet token create --scope operator",
        )
