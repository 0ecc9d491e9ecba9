"""The JSON form of proto messages, as `-o json` and `-o yaml` print it.

The fields of protos/signet/v1 by their names there; times as RFC 3339 in UTC, bytes as base64, whole numbers as
numbers, enum values without their prefix (`SUCCEEDED`). Every field is there: what is unset is "", 0, false, [], {} or
null. Only of a `oneof` is what is unset left out.
"""

from base64 import b64encode
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


def form(message: Message) -> Any:
    """Give a message as what `json.dumps` takes."""
    if isinstance(message, Timestamp):
        return message.ToJsonString()
    return {field.name: _field(message, field) for field in message.DESCRIPTOR.fields if not _left_out(message, field)}


def enum_word(field: Any, number: int) -> str:
    """Give an enum value without its prefix: `RUN_STATE_SUCCEEDED` is `SUCCEEDED`; "" where it says nothing."""
    kind: Any = field.enum_type
    value = kind.values_by_number.get(number)
    if value is None:
        return str(number)
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    word = value.name.removeprefix(prefix)
    return "" if word == "UNSPECIFIED" else word


def word(message: Message, name: str) -> str:
    """Give the word of an enum field."""
    return enum_word(message.DESCRIPTOR.fields_by_name[name], getattr(message, name))


def _left_out(message: Message, field: Any) -> bool:
    group = field.containing_oneof
    # proto3 keeps `optional` as a oneof of one; that one is null instead
    return group is not None and len(group.fields) > 1 and not message.HasField(field.name)


def _field(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        plain = field.message_type.fields_by_name["value"]
        return {key: _value(plain, item) for key, item in sorted(value.items())}
    if field.is_repeated:
        return [_value(field, item) for item in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _value(field, value)


def _value(field: Any, value: Any) -> Any:
    if isinstance(value, Message):
        return form(value)
    if field.enum_type is not None:
        return enum_word(field, value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return value
