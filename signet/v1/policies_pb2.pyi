import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PolicyState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POLICY_STATE_UNSPECIFIED: _ClassVar[PolicyState]
    POLICY_STATE_PENDING: _ClassVar[PolicyState]
    POLICY_STATE_LOADED: _ClassVar[PolicyState]
    POLICY_STATE_FAILED: _ClassVar[PolicyState]
    POLICY_STATE_SUPERSEDED: _ClassVar[PolicyState]

class GrantScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GRANT_SCOPE_UNSPECIFIED: _ClassVar[GrantScope]
    GRANT_SCOPE_RUN: _ClassVar[GrantScope]
    GRANT_SCOPE_SESSION: _ClassVar[GrantScope]
    GRANT_SCOPE_AGENT: _ClassVar[GrantScope]
POLICY_STATE_UNSPECIFIED: PolicyState
POLICY_STATE_PENDING: PolicyState
POLICY_STATE_LOADED: PolicyState
POLICY_STATE_FAILED: PolicyState
POLICY_STATE_SUPERSEDED: PolicyState
GRANT_SCOPE_UNSPECIFIED: GrantScope
GRANT_SCOPE_RUN: GrantScope
GRANT_SCOPE_SESSION: GrantScope
GRANT_SCOPE_AGENT: GrantScope

class Policy(_message.Message):
    __slots__ = ("name", "description", "version", "newest_version", "agents", "built_in", "create_time", "update_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NEWEST_VERSION_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    BUILT_IN_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    version: int
    newest_version: int
    agents: int
    built_in: bool
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., version: _Optional[int] = ..., newest_version: _Optional[int] = ..., agents: _Optional[int] = ..., built_in: _Optional[bool] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PolicyVersion(_message.Message):
    __slots__ = ("policy", "version", "state", "detail", "document", "digest", "caller", "create_time", "loaded", "sandboxes", "needs_new_sandbox")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    SANDBOXES_FIELD_NUMBER: _ClassVar[int]
    NEEDS_NEW_SANDBOX_FIELD_NUMBER: _ClassVar[int]
    policy: str
    version: int
    state: PolicyState
    detail: str
    document: str
    digest: str
    caller: str
    create_time: _timestamp_pb2.Timestamp
    loaded: int
    sandboxes: int
    needs_new_sandbox: bool
    def __init__(self, policy: _Optional[str] = ..., version: _Optional[int] = ..., state: _Optional[_Union[PolicyState, str]] = ..., detail: _Optional[str] = ..., document: _Optional[str] = ..., digest: _Optional[str] = ..., caller: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., loaded: _Optional[int] = ..., sandboxes: _Optional[int] = ..., needs_new_sandbox: _Optional[bool] = ...) -> None: ...

class EffectivePolicy(_message.Message):
    __slots__ = ("agent", "policy", "version", "document", "grants", "digest")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    agent: str
    policy: str
    version: int
    document: str
    grants: _containers.RepeatedCompositeFieldContainer[Grant]
    digest: str
    def __init__(self, agent: _Optional[str] = ..., policy: _Optional[str] = ..., version: _Optional[int] = ..., document: _Optional[str] = ..., grants: _Optional[_Iterable[_Union[Grant, _Mapping]]] = ..., digest: _Optional[str] = ...) -> None: ...

class Grant(_message.Message):
    __slots__ = ("name", "agent", "scope", "subject", "ask", "caller", "create_time", "expire_time", "revoke_time", "approval")
    NAME_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    agent: str
    scope: GrantScope
    subject: str
    ask: Ask
    caller: str
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    revoke_time: _timestamp_pb2.Timestamp
    approval: str
    def __init__(self, name: _Optional[str] = ..., agent: _Optional[str] = ..., scope: _Optional[_Union[GrantScope, str]] = ..., subject: _Optional[str] = ..., ask: _Optional[_Union[Ask, _Mapping]] = ..., caller: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoke_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., approval: _Optional[str] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("network", "command")
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    network: NetworkAsk
    command: CommandAsk
    def __init__(self, network: _Optional[_Union[NetworkAsk, _Mapping]] = ..., command: _Optional[_Union[CommandAsk, _Mapping]] = ...) -> None: ...

class NetworkAsk(_message.Message):
    __slots__ = ("host", "port", "binary")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    BINARY_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    binary: str
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ..., binary: _Optional[str] = ...) -> None: ...

class CommandAsk(_message.Message):
    __slots__ = ("command",)
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    command: str
    def __init__(self, command: _Optional[str] = ...) -> None: ...

class ApplyPolicyRequest(_message.Message):
    __slots__ = ("name", "document", "dry_run", "expected_version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    document: str
    dry_run: bool
    expected_version: int
    def __init__(self, name: _Optional[str] = ..., document: _Optional[str] = ..., dry_run: _Optional[bool] = ..., expected_version: _Optional[int] = ...) -> None: ...

class ApplyPolicyResponse(_message.Message):
    __slots__ = ("version", "changes")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    version: PolicyVersion
    changes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, version: _Optional[_Union[PolicyVersion, _Mapping]] = ..., changes: _Optional[_Iterable[str]] = ...) -> None: ...

class GetPolicyRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetPolicyResponse(_message.Message):
    __slots__ = ("policy", "version")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    policy: Policy
    version: PolicyVersion
    def __init__(self, policy: _Optional[_Union[Policy, _Mapping]] = ..., version: _Optional[_Union[PolicyVersion, _Mapping]] = ...) -> None: ...

class ListPoliciesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPoliciesResponse(_message.Message):
    __slots__ = ("policies", "next_page_token")
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    policies: _containers.RepeatedCompositeFieldContainer[Policy]
    next_page_token: str
    def __init__(self, policies: _Optional[_Iterable[_Union[Policy, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeletePolicyRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeletePolicyResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPolicyVersionsRequest(_message.Message):
    __slots__ = ("policy", "page_size", "page_token")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    policy: str
    page_size: int
    page_token: str
    def __init__(self, policy: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPolicyVersionsResponse(_message.Message):
    __slots__ = ("versions", "next_page_token")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[PolicyVersion]
    next_page_token: str
    def __init__(self, versions: _Optional[_Iterable[_Union[PolicyVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetPolicyVersionRequest(_message.Message):
    __slots__ = ("policy", "version")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    policy: str
    version: int
    def __init__(self, policy: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class GetPolicyVersionResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: PolicyVersion
    def __init__(self, version: _Optional[_Union[PolicyVersion, _Mapping]] = ...) -> None: ...

class GetEffectivePolicyRequest(_message.Message):
    __slots__ = ("agent",)
    AGENT_FIELD_NUMBER: _ClassVar[int]
    agent: str
    def __init__(self, agent: _Optional[str] = ...) -> None: ...

class GetEffectivePolicyResponse(_message.Message):
    __slots__ = ("policy",)
    POLICY_FIELD_NUMBER: _ClassVar[int]
    policy: EffectivePolicy
    def __init__(self, policy: _Optional[_Union[EffectivePolicy, _Mapping]] = ...) -> None: ...
