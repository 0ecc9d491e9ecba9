"""Who may call what: every method of control names the scopes that may use it. What is not named, nobody may."""

from collections.abc import Mapping

from signet.kit.auth import Caller
from signet.kit.errors import PermissionDenied

OPERATOR = "OPERATOR"
VIEWER = "VIEWER"
WORKER = "WORKER"

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
    "/signet.v1.TokenService/CheckToken": _READ,
    "/signet.v1.TokenService/CreateSignInCode": _CHANGE,
    "/signet.work.v1.WorkService/RegisterWorker": _WORK,
    "/signet.work.v1.WorkService/ClaimRun": _WORK,
    "/signet.work.v1.WorkService/RenewLeases": _WORK,
    "/signet.work.v1.WorkService/WatchDirectives": _WORK,
    "/signet.work.v1.WorkService/AppendEvents": _WORK,
    "/signet.work.v1.WorkService/PutBlob": _WORK,
    "/signet.work.v1.WorkService/FinishRun": _WORK,
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
