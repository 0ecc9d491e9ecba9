import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from signet.v1 import usage_pb2 as _usage_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IsolationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ISOLATION_STATE_UNSPECIFIED: _ClassVar[IsolationState]
    ISOLATION_STATE_ENFORCED: _ClassVar[IsolationState]
    ISOLATION_STATE_PARTIAL: _ClassVar[IsolationState]
    ISOLATION_STATE_ABSENT: _ClassVar[IsolationState]
ISOLATION_STATE_UNSPECIFIED: IsolationState
ISOLATION_STATE_ENFORCED: IsolationState
ISOLATION_STATE_PARTIAL: IsolationState
ISOLATION_STATE_ABSENT: IsolationState

class RunEvent(_message.Message):
    __slots__ = ("run", "sequence", "time", "generation", "created", "claimed", "sandbox_opened", "model_call_started", "text", "reasoning", "model_call_finished", "tool_call_started", "tool_output", "tool_call_finished", "notice", "attempt_lost", "cancel_requested", "finished", "egress_decided", "approval_requested", "approval_answered", "policy_loaded")
    RUN_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_OPENED_FIELD_NUMBER: _ClassVar[int]
    MODEL_CALL_STARTED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    MODEL_CALL_FINISHED_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_STARTED_FIELD_NUMBER: _ClassVar[int]
    TOOL_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_FINISHED_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_LOST_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    EGRESS_DECIDED_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    POLICY_LOADED_FIELD_NUMBER: _ClassVar[int]
    run: str
    sequence: int
    time: _timestamp_pb2.Timestamp
    generation: int
    created: RunCreated
    claimed: RunClaimed
    sandbox_opened: SandboxOpened
    model_call_started: ModelCallStarted
    text: TextDelta
    reasoning: TextDelta
    model_call_finished: ModelCallFinished
    tool_call_started: ToolCallStarted
    tool_output: ToolOutput
    tool_call_finished: ToolCallFinished
    notice: Notice
    attempt_lost: AttemptLost
    cancel_requested: CancelRequested
    finished: RunFinished
    egress_decided: EgressDecided
    approval_requested: ApprovalRequested
    approval_answered: ApprovalAnswered
    policy_loaded: PolicyLoaded
    def __init__(self, run: _Optional[str] = ..., sequence: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., generation: _Optional[int] = ..., created: _Optional[_Union[RunCreated, _Mapping]] = ..., claimed: _Optional[_Union[RunClaimed, _Mapping]] = ..., sandbox_opened: _Optional[_Union[SandboxOpened, _Mapping]] = ..., model_call_started: _Optional[_Union[ModelCallStarted, _Mapping]] = ..., text: _Optional[_Union[TextDelta, _Mapping]] = ..., reasoning: _Optional[_Union[TextDelta, _Mapping]] = ..., model_call_finished: _Optional[_Union[ModelCallFinished, _Mapping]] = ..., tool_call_started: _Optional[_Union[ToolCallStarted, _Mapping]] = ..., tool_output: _Optional[_Union[ToolOutput, _Mapping]] = ..., tool_call_finished: _Optional[_Union[ToolCallFinished, _Mapping]] = ..., notice: _Optional[_Union[Notice, _Mapping]] = ..., attempt_lost: _Optional[_Union[AttemptLost, _Mapping]] = ..., cancel_requested: _Optional[_Union[CancelRequested, _Mapping]] = ..., finished: _Optional[_Union[RunFinished, _Mapping]] = ..., egress_decided: _Optional[_Union[EgressDecided, _Mapping]] = ..., approval_requested: _Optional[_Union[ApprovalRequested, _Mapping]] = ..., approval_answered: _Optional[_Union[ApprovalAnswered, _Mapping]] = ..., policy_loaded: _Optional[_Union[PolicyLoaded, _Mapping]] = ...) -> None: ...

class RunCreated(_message.Message):
    __slots__ = ("agent", "model", "input", "stamp")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    STAMP_FIELD_NUMBER: _ClassVar[int]
    agent: str
    model: str
    input: str
    stamp: str
    def __init__(self, agent: _Optional[str] = ..., model: _Optional[str] = ..., input: _Optional[str] = ..., stamp: _Optional[str] = ...) -> None: ...

class RunClaimed(_message.Message):
    __slots__ = ("worker", "attempt")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    worker: str
    attempt: int
    def __init__(self, worker: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class SandboxOpened(_message.Message):
    __slots__ = ("sandbox", "warm", "open_micros", "isolation")
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    WARM_FIELD_NUMBER: _ClassVar[int]
    OPEN_MICROS_FIELD_NUMBER: _ClassVar[int]
    ISOLATION_FIELD_NUMBER: _ClassVar[int]
    sandbox: str
    warm: bool
    open_micros: int
    isolation: IsolationReport
    def __init__(self, sandbox: _Optional[str] = ..., warm: _Optional[bool] = ..., open_micros: _Optional[int] = ..., isolation: _Optional[_Union[IsolationReport, _Mapping]] = ...) -> None: ...

class IsolationReport(_message.Message):
    __slots__ = ("layers",)
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    layers: _containers.RepeatedCompositeFieldContainer[IsolationLayer]
    def __init__(self, layers: _Optional[_Iterable[_Union[IsolationLayer, _Mapping]]] = ...) -> None: ...

class IsolationLayer(_message.Message):
    __slots__ = ("name", "state", "detail")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: IsolationState
    detail: str
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[IsolationState, str]] = ..., detail: _Optional[str] = ...) -> None: ...

class ModelCallStarted(_message.Message):
    __slots__ = ("index", "model", "path")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    index: int
    model: str
    path: str
    def __init__(self, index: _Optional[int] = ..., model: _Optional[str] = ..., path: _Optional[str] = ...) -> None: ...

class ModelCallFinished(_message.Message):
    __slots__ = ("index", "path", "model", "provider", "upstream_model", "status", "request_digest", "response_digest", "first_byte_micros", "duration_micros", "usage", "error")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_MODEL_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    FIRST_BYTE_MICROS_FIELD_NUMBER: _ClassVar[int]
    DURATION_MICROS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    index: int
    path: str
    model: str
    provider: str
    upstream_model: str
    status: int
    request_digest: str
    response_digest: str
    first_byte_micros: int
    duration_micros: int
    usage: _usage_pb2.Usage
    error: str
    def __init__(self, index: _Optional[int] = ..., path: _Optional[str] = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., upstream_model: _Optional[str] = ..., status: _Optional[int] = ..., request_digest: _Optional[str] = ..., response_digest: _Optional[str] = ..., first_byte_micros: _Optional[int] = ..., duration_micros: _Optional[int] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ..., error: _Optional[str] = ...) -> None: ...

class TextDelta(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class ToolCallStarted(_message.Message):
    __slots__ = ("id", "tool", "arguments", "verdict")
    ID_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    id: str
    tool: str
    arguments: str
    verdict: str
    def __init__(self, id: _Optional[str] = ..., tool: _Optional[str] = ..., arguments: _Optional[str] = ..., verdict: _Optional[str] = ...) -> None: ...

class ToolOutput(_message.Message):
    __slots__ = ("id", "text")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: str
    def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class ToolCallFinished(_message.Message):
    __slots__ = ("id", "result", "is_error", "duration_micros")
    ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    IS_ERROR_FIELD_NUMBER: _ClassVar[int]
    DURATION_MICROS_FIELD_NUMBER: _ClassVar[int]
    id: str
    result: str
    is_error: bool
    duration_micros: int
    def __init__(self, id: _Optional[str] = ..., result: _Optional[str] = ..., is_error: _Optional[bool] = ..., duration_micros: _Optional[int] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class AttemptLost(_message.Message):
    __slots__ = ("worker", "attempt", "retried")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RETRIED_FIELD_NUMBER: _ClassVar[int]
    worker: str
    attempt: int
    retried: bool
    def __init__(self, worker: _Optional[str] = ..., attempt: _Optional[int] = ..., retried: _Optional[bool] = ...) -> None: ...

class CancelRequested(_message.Message):
    __slots__ = ("caller",)
    CALLER_FIELD_NUMBER: _ClassVar[int]
    caller: str
    def __init__(self, caller: _Optional[str] = ...) -> None: ...

class RunFinished(_message.Message):
    __slots__ = ("outcome", "output", "reason", "message", "usage")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    outcome: str
    output: str
    reason: str
    message: str
    usage: _usage_pb2.Usage
    def __init__(self, outcome: _Optional[str] = ..., output: _Optional[str] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., usage: _Optional[_Union[_usage_pb2.Usage, _Mapping]] = ...) -> None: ...

class EgressDecided(_message.Message):
    __slots__ = ("host", "port", "address", "binary", "method", "path", "verdict", "rule", "reason", "count")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BINARY_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    address: str
    binary: str
    method: str
    path: str
    verdict: str
    rule: str
    reason: str
    count: int
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ..., address: _Optional[str] = ..., binary: _Optional[str] = ..., method: _Optional[str] = ..., path: _Optional[str] = ..., verdict: _Optional[str] = ..., rule: _Optional[str] = ..., reason: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class ApprovalRequested(_message.Message):
    __slots__ = ("approval", "text")
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    approval: str
    text: str
    def __init__(self, approval: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class ApprovalAnswered(_message.Message):
    __slots__ = ("approval", "answer", "caller")
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    approval: str
    answer: str
    caller: str
    def __init__(self, approval: _Optional[str] = ..., answer: _Optional[str] = ..., caller: _Optional[str] = ...) -> None: ...

class PolicyLoaded(_message.Message):
    __slots__ = ("policy", "version", "digest", "closed")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    policy: str
    version: int
    digest: str
    closed: int
    def __init__(self, policy: _Optional[str] = ..., version: _Optional[int] = ..., digest: _Optional[str] = ..., closed: _Optional[int] = ...) -> None: ...
