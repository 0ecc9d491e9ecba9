import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RoutePreference(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROUTE_PREFERENCE_UNSPECIFIED: _ClassVar[RoutePreference]
    ROUTE_PREFERENCE_ORDER: _ClassVar[RoutePreference]
    ROUTE_PREFERENCE_WEIGHT: _ClassVar[RoutePreference]
    ROUTE_PREFERENCE_PRICE: _ClassVar[RoutePreference]
    ROUTE_PREFERENCE_SPEED: _ClassVar[RoutePreference]
    ROUTE_PREFERENCE_LOAD: _ClassVar[RoutePreference]
ROUTE_PREFERENCE_UNSPECIFIED: RoutePreference
ROUTE_PREFERENCE_ORDER: RoutePreference
ROUTE_PREFERENCE_WEIGHT: RoutePreference
ROUTE_PREFERENCE_PRICE: RoutePreference
ROUTE_PREFERENCE_SPEED: RoutePreference
ROUTE_PREFERENCE_LOAD: RoutePreference

class Route(_message.Message):
    __slots__ = ("name", "targets", "preference", "hedge_millis", "description", "update_time", "repeat_timeouts")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    HEDGE_MILLIS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    REPEAT_TIMEOUTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    targets: _containers.RepeatedCompositeFieldContainer[Target]
    preference: RoutePreference
    hedge_millis: int
    description: str
    update_time: _timestamp_pb2.Timestamp
    repeat_timeouts: bool
    def __init__(self, name: _Optional[str] = ..., targets: _Optional[_Iterable[_Union[Target, _Mapping]]] = ..., preference: _Optional[_Union[RoutePreference, str]] = ..., hedge_millis: _Optional[int] = ..., description: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., repeat_timeouts: _Optional[bool] = ...) -> None: ...

class Target(_message.Message):
    __slots__ = ("provider", "upstream_model", "weight", "concurrency", "context_tokens", "capabilities")
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_MODEL_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    provider: str
    upstream_model: str
    weight: int
    concurrency: int
    context_tokens: int
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, provider: _Optional[str] = ..., upstream_model: _Optional[str] = ..., weight: _Optional[int] = ..., concurrency: _Optional[int] = ..., context_tokens: _Optional[int] = ..., capabilities: _Optional[_Iterable[str]] = ...) -> None: ...

class TargetState(_message.Message):
    __slots__ = ("target", "place", "reason", "active", "allowed", "circuit", "first_byte_micros", "failures_per_mille")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    CIRCUIT_FIELD_NUMBER: _ClassVar[int]
    FIRST_BYTE_MICROS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_PER_MILLE_FIELD_NUMBER: _ClassVar[int]
    target: Target
    place: int
    reason: str
    active: int
    allowed: int
    circuit: str
    first_byte_micros: int
    failures_per_mille: int
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., place: _Optional[int] = ..., reason: _Optional[str] = ..., active: _Optional[int] = ..., allowed: _Optional[int] = ..., circuit: _Optional[str] = ..., first_byte_micros: _Optional[int] = ..., failures_per_mille: _Optional[int] = ...) -> None: ...

class PutRouteRequest(_message.Message):
    __slots__ = ("route",)
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    route: Route
    def __init__(self, route: _Optional[_Union[Route, _Mapping]] = ...) -> None: ...

class PutRouteResponse(_message.Message):
    __slots__ = ("route",)
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    route: Route
    def __init__(self, route: _Optional[_Union[Route, _Mapping]] = ...) -> None: ...

class GetRouteRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetRouteResponse(_message.Message):
    __slots__ = ("route",)
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    route: Route
    def __init__(self, route: _Optional[_Union[Route, _Mapping]] = ...) -> None: ...

class ListRoutesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRoutesResponse(_message.Message):
    __slots__ = ("routes", "next_page_token")
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    routes: _containers.RepeatedCompositeFieldContainer[Route]
    next_page_token: str
    def __init__(self, routes: _Optional[_Iterable[_Union[Route, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteRouteRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteRouteResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExplainRouteRequest(_message.Message):
    __slots__ = ("model", "session", "needs", "input_tokens")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    model: str
    session: str
    needs: _containers.RepeatedScalarFieldContainer[str]
    input_tokens: int
    def __init__(self, model: _Optional[str] = ..., session: _Optional[str] = ..., needs: _Optional[_Iterable[str]] = ..., input_tokens: _Optional[int] = ...) -> None: ...

class ExplainRouteResponse(_message.Message):
    __slots__ = ("targets",)
    TARGETS_FIELD_NUMBER: _ClassVar[int]
    targets: _containers.RepeatedCompositeFieldContainer[TargetState]
    def __init__(self, targets: _Optional[_Iterable[_Union[TargetState, _Mapping]]] = ...) -> None: ...
