"""What agents, models and tools wrote, made safe for a terminal: it may hold sequences that rewrite the screen."""

import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from google.protobuf.message import Message

M = TypeVar("M", bound="Message")

_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    r"|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC and its kin: titles, links, the clipboard
    r"|[ -/]*[0-~])"  # the rest
)
_CONTROL = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
}
"""Control characters, and those that turn the reading direction."""


def clean(text: str) -> str:
    """Take escape sequences out; what other control characters there are is shown as such."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SEQUENCE.sub("", lines).translate(_CONTROL)


def cleaned(message: M) -> M:
    """Give a copy of a message in which every text is clean."""
    copy = type(message)()
    copy.CopyFrom(message)
    _clean(copy)
    return copy


def _clean(message: "Message") -> None:
    from google.protobuf.message import Message

    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue  # the only maps are the stamp's sources, which no table shows
        if isinstance(value, str):
            setattr(message, field.name, clean(value))
        elif isinstance(value, Message):
            _clean(value)
        elif field.is_repeated and field.message_type is not None:
            for item in value:
                _clean(item)
        elif field.is_repeated and value and isinstance(value[0], str):
            value[:] = [clean(item) for item in value]
