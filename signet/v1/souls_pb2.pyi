from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SoulOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOUL_ORIGIN_UNSPECIFIED: _ClassVar[SoulOrigin]
    SOUL_ORIGIN_CATALOG: _ClassVar[SoulOrigin]
    SOUL_ORIGIN_USER: _ClassVar[SoulOrigin]
SOUL_ORIGIN_UNSPECIFIED: SoulOrigin
SOUL_ORIGIN_CATALOG: SoulOrigin
SOUL_ORIGIN_USER: SoulOrigin

class Soul(_message.Message):
    __slots__ = ("name", "title", "description", "category", "text", "toolsets", "origin", "digest", "problems", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOOLSETS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    description: str
    category: str
    text: str
    toolsets: SoulToolsets
    origin: SoulOrigin
    digest: str
    problems: _containers.RepeatedScalarFieldContainer[str]
    version: str
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ..., description: _Optional[str] = ..., category: _Optional[str] = ..., text: _Optional[str] = ..., toolsets: _Optional[_Union[SoulToolsets, _Mapping]] = ..., origin: _Optional[_Union[SoulOrigin, str]] = ..., digest: _Optional[str] = ..., problems: _Optional[_Iterable[str]] = ..., version: _Optional[str] = ...) -> None: ...

class SoulToolsets(_message.Message):
    __slots__ = ("enforced", "default_enabled", "optional", "forbidden")
    ENFORCED_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_ENABLED_FIELD_NUMBER: _ClassVar[int]
    OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    FORBIDDEN_FIELD_NUMBER: _ClassVar[int]
    enforced: _containers.RepeatedScalarFieldContainer[str]
    default_enabled: _containers.RepeatedScalarFieldContainer[str]
    optional: _containers.RepeatedScalarFieldContainer[str]
    forbidden: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, enforced: _Optional[_Iterable[str]] = ..., default_enabled: _Optional[_Iterable[str]] = ..., optional: _Optional[_Iterable[str]] = ..., forbidden: _Optional[_Iterable[str]] = ...) -> None: ...

class ListSoulsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSoulsResponse(_message.Message):
    __slots__ = ("souls", "next_page_token")
    SOULS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    souls: _containers.RepeatedCompositeFieldContainer[Soul]
    next_page_token: str
    def __init__(self, souls: _Optional[_Iterable[_Union[Soul, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetSoulRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetSoulResponse(_message.Message):
    __slots__ = ("soul",)
    SOUL_FIELD_NUMBER: _ClassVar[int]
    soul: Soul
    def __init__(self, soul: _Optional[_Union[Soul, _Mapping]] = ...) -> None: ...
