import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Api(_message.Message):
    __slots__ = ("name", "base_url", "secret", "placement", "allow", "agents", "call_price_microusd", "calls_per_minute", "answer_bytes", "description", "update_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BASE_URL_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    ALLOW_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    CALL_PRICE_MICROUSD_FIELD_NUMBER: _ClassVar[int]
    CALLS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_BYTES_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    base_url: str
    secret: str
    placement: str
    allow: _containers.RepeatedScalarFieldContainer[str]
    agents: _containers.RepeatedScalarFieldContainer[str]
    call_price_microusd: int
    calls_per_minute: int
    answer_bytes: int
    description: str
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., base_url: _Optional[str] = ..., secret: _Optional[str] = ..., placement: _Optional[str] = ..., allow: _Optional[_Iterable[str]] = ..., agents: _Optional[_Iterable[str]] = ..., call_price_microusd: _Optional[int] = ..., calls_per_minute: _Optional[int] = ..., answer_bytes: _Optional[int] = ..., description: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PutApiRequest(_message.Message):
    __slots__ = ("api",)
    API_FIELD_NUMBER: _ClassVar[int]
    api: Api
    def __init__(self, api: _Optional[_Union[Api, _Mapping]] = ...) -> None: ...

class PutApiResponse(_message.Message):
    __slots__ = ("api",)
    API_FIELD_NUMBER: _ClassVar[int]
    api: Api
    def __init__(self, api: _Optional[_Union[Api, _Mapping]] = ...) -> None: ...

class GetApiRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetApiResponse(_message.Message):
    __slots__ = ("api",)
    API_FIELD_NUMBER: _ClassVar[int]
    api: Api
    def __init__(self, api: _Optional[_Union[Api, _Mapping]] = ...) -> None: ...

class ListApisRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListApisResponse(_message.Message):
    __slots__ = ("apis", "next_page_token")
    APIS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    apis: _containers.RepeatedCompositeFieldContainer[Api]
    next_page_token: str
    def __init__(self, apis: _Optional[_Iterable[_Union[Api, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteApiRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteApiResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
