"""Any protobuf message of a type, for properties."""

from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st

M = TypeVar("M", bound=Message)

_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
_TIMES = st.builds(
    Timestamp, seconds=st.integers(0, 253_402_300_799), nanos=st.integers(0, 999_999_999) | st.just(500_000_000)
)


@st.composite
def messages(draw: st.DrawFn, kind: type[M]) -> M:
    """Draw a message: any of its fields, one of each oneof."""
    made = kind()
    descriptor: Any = kind.DESCRIPTOR  # one of two classes, by how protobuf was built
    fields: list[FieldDescriptor] = list(descriptor.fields)
    taken = {
        oneof.name: draw(st.sampled_from([field.name for field in fields if field.containing_oneof == oneof]))
        for oneof in descriptor.oneofs
    }
    for field in fields:
        oneof = field.containing_oneof
        if (oneof and taken[oneof.name] != field.name) or not draw(st.booleans()):
            continue
        values = draw(st.lists(_values(field), max_size=3)) if field.is_repeated else [draw(_values(field))]
        for value in values:
            _set(made, field, value)
    return made


def _values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return _TIMES
        return messages(GetMessageClass(field.message_type))
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    kinds: dict[int, st.SearchStrategy[Any]] = {
        FieldDescriptor.CPPTYPE_STRING: _TEXT,
        FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
        FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
        FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    }
    return kinds[field.cpp_type]


def _set(made: Message, field: FieldDescriptor, value: Any) -> None:
    if field.is_repeated:
        getattr(made, field.name).append(value)
    elif field.message_type is not None:
        getattr(made, field.name).CopyFrom(value)
    else:
        setattr(made, field.name, value)
