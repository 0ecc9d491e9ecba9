import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from signet.v1 import agents_pb2 as _agents_pb2
from signet.v1 import approvals_pb2 as _approvals_pb2
from signet.v1 import events_pb2 as _events_pb2
from signet.v1 import models_pb2 as _models_pb2
from signet.v1 import policies_pb2 as _policies_pb2
from signet.v1 import runs_pb2 as _runs_pb2
from signet.v1 import sandboxes_pb2 as _sandboxes_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RegisterWorkerRequest(_message.Message):
    __slots__ = ("worker", "incarnation", "host", "version", "capacity", "isolation", "runtimes")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    ISOLATION_FIELD_NUMBER: _ClassVar[int]
    RUNTIMES_FIELD_NUMBER: _ClassVar[int]
    worker: str
    incarnation: str
    host: str
    version: str
    capacity: int
    isolation: _events_pb2.IsolationReport
    runtimes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, worker: _Optional[str] = ..., incarnation: _Optional[str] = ..., host: _Optional[str] = ..., version: _Optional[str] = ..., capacity: _Optional[int] = ..., isolation: _Optional[_Union[_events_pb2.IsolationReport, _Mapping]] = ..., runtimes: _Optional[_Iterable[str]] = ...) -> None: ...

class RegisterWorkerResponse(_message.Message):
    __slots__ = ("lease_seconds",)
    LEASE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    lease_seconds: int
    def __init__(self, lease_seconds: _Optional[int] = ...) -> None: ...

class ClaimRunRequest(_message.Message):
    __slots__ = ("worker", "incarnation", "wait_seconds")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    WAIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    worker: str
    incarnation: str
    wait_seconds: int
    def __init__(self, worker: _Optional[str] = ..., incarnation: _Optional[str] = ..., wait_seconds: _Optional[int] = ...) -> None: ...

class ClaimRunResponse(_message.Message):
    __slots__ = ("assignment",)
    ASSIGNMENT_FIELD_NUMBER: _ClassVar[int]
    assignment: Assignment
    def __init__(self, assignment: _Optional[_Union[Assignment, _Mapping]] = ...) -> None: ...

class Assignment(_message.Message):
    __slots__ = ("run", "lease", "next_sequence", "run_token", "soul", "history", "tools", "runtime", "model", "embedding_model", "limits", "policy")
    RUN_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RUN_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SOUL_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    run: _runs_pb2.Run
    lease: Lease
    next_sequence: int
    run_token: str
    soul: str
    history: str
    tools: _containers.RepeatedCompositeFieldContainer[Tool]
    runtime: str
    model: _models_pb2.Model
    embedding_model: str
    limits: _agents_pb2.RunLimits
    policy: PolicyOrder
    def __init__(self, run: _Optional[_Union[_runs_pb2.Run, _Mapping]] = ..., lease: _Optional[_Union[Lease, _Mapping]] = ..., next_sequence: _Optional[int] = ..., run_token: _Optional[str] = ..., soul: _Optional[str] = ..., history: _Optional[str] = ..., tools: _Optional[_Iterable[_Union[Tool, _Mapping]]] = ..., runtime: _Optional[str] = ..., model: _Optional[_Union[_models_pb2.Model, _Mapping]] = ..., embedding_model: _Optional[str] = ..., limits: _Optional[_Union[_agents_pb2.RunLimits, _Mapping]] = ..., policy: _Optional[_Union[PolicyOrder, _Mapping]] = ...) -> None: ...

class PolicyOrder(_message.Message):
    __slots__ = ("policy", "secrets_token")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SECRETS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    policy: _policies_pb2.EffectivePolicy
    secrets_token: str
    def __init__(self, policy: _Optional[_Union[_policies_pb2.EffectivePolicy, _Mapping]] = ..., secrets_token: _Optional[str] = ...) -> None: ...

class Tool(_message.Message):
    __slots__ = ("name", "description", "parameters", "examples")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    parameters: str
    examples: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., parameters: _Optional[str] = ..., examples: _Optional[_Iterable[str]] = ...) -> None: ...

class Lease(_message.Message):
    __slots__ = ("run", "generation", "expire_time")
    RUN_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    run: str
    generation: int
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, run: _Optional[str] = ..., generation: _Optional[int] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RenewLeasesRequest(_message.Message):
    __slots__ = ("worker", "incarnation", "leases", "sandboxes")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    LEASES_FIELD_NUMBER: _ClassVar[int]
    SANDBOXES_FIELD_NUMBER: _ClassVar[int]
    worker: str
    incarnation: str
    leases: _containers.RepeatedCompositeFieldContainer[Lease]
    sandboxes: int
    def __init__(self, worker: _Optional[str] = ..., incarnation: _Optional[str] = ..., leases: _Optional[_Iterable[_Union[Lease, _Mapping]]] = ..., sandboxes: _Optional[int] = ...) -> None: ...

class RenewLeasesResponse(_message.Message):
    __slots__ = ("lost", "directives")
    LOST_FIELD_NUMBER: _ClassVar[int]
    DIRECTIVES_FIELD_NUMBER: _ClassVar[int]
    lost: _containers.RepeatedScalarFieldContainer[str]
    directives: _containers.RepeatedCompositeFieldContainer[Directive]
    def __init__(self, lost: _Optional[_Iterable[str]] = ..., directives: _Optional[_Iterable[_Union[Directive, _Mapping]]] = ...) -> None: ...

class WatchDirectivesRequest(_message.Message):
    __slots__ = ("worker", "incarnation")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    worker: str
    incarnation: str
    def __init__(self, worker: _Optional[str] = ..., incarnation: _Optional[str] = ...) -> None: ...

class WatchDirectivesResponse(_message.Message):
    __slots__ = ("directive",)
    DIRECTIVE_FIELD_NUMBER: _ClassVar[int]
    directive: Directive
    def __init__(self, directive: _Optional[_Union[Directive, _Mapping]] = ...) -> None: ...

class Directive(_message.Message):
    __slots__ = ("cancel_run", "drain", "load_policy", "attach", "stop_sandbox", "approval")
    CANCEL_RUN_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    LOAD_POLICY_FIELD_NUMBER: _ClassVar[int]
    ATTACH_FIELD_NUMBER: _ClassVar[int]
    STOP_SANDBOX_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    cancel_run: str
    drain: bool
    load_policy: PolicyOrder
    attach: AttachOrder
    stop_sandbox: StopOrder
    approval: _approvals_pb2.Approval
    def __init__(self, cancel_run: _Optional[str] = ..., drain: _Optional[bool] = ..., load_policy: _Optional[_Union[PolicyOrder, _Mapping]] = ..., attach: _Optional[_Union[AttachOrder, _Mapping]] = ..., stop_sandbox: _Optional[_Union[StopOrder, _Mapping]] = ..., approval: _Optional[_Union[_approvals_pb2.Approval, _Mapping]] = ...) -> None: ...

class AppendEventsRequest(_message.Message):
    __slots__ = ("lease", "events")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    lease: Lease
    events: _containers.RepeatedCompositeFieldContainer[_events_pb2.RunEvent]
    def __init__(self, lease: _Optional[_Union[Lease, _Mapping]] = ..., events: _Optional[_Iterable[_Union[_events_pb2.RunEvent, _Mapping]]] = ...) -> None: ...

class AppendEventsResponse(_message.Message):
    __slots__ = ("last_sequence",)
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    last_sequence: int
    def __init__(self, last_sequence: _Optional[int] = ...) -> None: ...

class PutBlobRequest(_message.Message):
    __slots__ = ("digest", "chunk", "lease")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    digest: str
    chunk: bytes
    lease: Lease
    def __init__(self, digest: _Optional[str] = ..., chunk: _Optional[bytes] = ..., lease: _Optional[_Union[Lease, _Mapping]] = ...) -> None: ...

class PutBlobResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FinishRunRequest(_message.Message):
    __slots__ = ("lease", "events", "outcome", "output", "error", "messages")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    lease: Lease
    events: _containers.RepeatedCompositeFieldContainer[_events_pb2.RunEvent]
    outcome: _runs_pb2.RunState
    output: str
    error: _runs_pb2.RunError
    messages: str
    def __init__(self, lease: _Optional[_Union[Lease, _Mapping]] = ..., events: _Optional[_Iterable[_Union[_events_pb2.RunEvent, _Mapping]]] = ..., outcome: _Optional[_Union[_runs_pb2.RunState, str]] = ..., output: _Optional[str] = ..., error: _Optional[_Union[_runs_pb2.RunError, _Mapping]] = ..., messages: _Optional[str] = ...) -> None: ...

class FinishRunResponse(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _runs_pb2.Run
    def __init__(self, run: _Optional[_Union[_runs_pb2.Run, _Mapping]] = ...) -> None: ...

class AttachOrder(_message.Message):
    __slots__ = ("id", "target", "policy", "logs", "follow")
    ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    id: str
    target: str
    policy: PolicyOrder
    logs: bool
    follow: bool
    def __init__(self, id: _Optional[str] = ..., target: _Optional[str] = ..., policy: _Optional[_Union[PolicyOrder, _Mapping]] = ..., logs: _Optional[bool] = ..., follow: _Optional[bool] = ...) -> None: ...

class StopOrder(_message.Message):
    __slots__ = ("sandbox", "force")
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    sandbox: str
    force: bool
    def __init__(self, sandbox: _Optional[str] = ..., force: _Optional[bool] = ...) -> None: ...

class ReportSandboxesRequest(_message.Message):
    __slots__ = ("worker", "incarnation", "sandboxes")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    SANDBOXES_FIELD_NUMBER: _ClassVar[int]
    worker: str
    incarnation: str
    sandboxes: _containers.RepeatedCompositeFieldContainer[_sandboxes_pb2.Sandbox]
    def __init__(self, worker: _Optional[str] = ..., incarnation: _Optional[str] = ..., sandboxes: _Optional[_Iterable[_Union[_sandboxes_pb2.Sandbox, _Mapping]]] = ...) -> None: ...

class ReportSandboxesResponse(_message.Message):
    __slots__ = ("policies",)
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    policies: _containers.RepeatedCompositeFieldContainer[PolicyOrder]
    def __init__(self, policies: _Optional[_Iterable[_Union[PolicyOrder, _Mapping]]] = ...) -> None: ...

class AskApprovalRequest(_message.Message):
    __slots__ = ("lease", "agent", "ask", "blast_radius", "wait_seconds")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    BLAST_RADIUS_FIELD_NUMBER: _ClassVar[int]
    WAIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    lease: Lease
    agent: str
    ask: _policies_pb2.Ask
    blast_radius: str
    wait_seconds: int
    def __init__(self, lease: _Optional[_Union[Lease, _Mapping]] = ..., agent: _Optional[str] = ..., ask: _Optional[_Union[_policies_pb2.Ask, _Mapping]] = ..., blast_radius: _Optional[str] = ..., wait_seconds: _Optional[int] = ...) -> None: ...

class AskApprovalResponse(_message.Message):
    __slots__ = ("approval",)
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    approval: _approvals_pb2.Approval
    def __init__(self, approval: _Optional[_Union[_approvals_pb2.Approval, _Mapping]] = ...) -> None: ...

class AttachRequest(_message.Message):
    __slots__ = ("id", "failure", "exec", "log")
    ID_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    EXEC_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    id: str
    failure: AttachFailure
    exec: _sandboxes_pb2.ExecSandboxResponse
    log: _sandboxes_pb2.WatchSandboxLogsResponse
    def __init__(self, id: _Optional[str] = ..., failure: _Optional[_Union[AttachFailure, _Mapping]] = ..., exec: _Optional[_Union[_sandboxes_pb2.ExecSandboxResponse, _Mapping]] = ..., log: _Optional[_Union[_sandboxes_pb2.WatchSandboxLogsResponse, _Mapping]] = ...) -> None: ...

class AttachFailure(_message.Message):
    __slots__ = ("reason", "message")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class AttachResponse(_message.Message):
    __slots__ = ("exec",)
    EXEC_FIELD_NUMBER: _ClassVar[int]
    exec: _sandboxes_pb2.ExecSandboxRequest
    def __init__(self, exec: _Optional[_Union[_sandboxes_pb2.ExecSandboxRequest, _Mapping]] = ...) -> None: ...
