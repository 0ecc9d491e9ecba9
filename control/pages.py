"""Pages that one message can carry."""

from typing import TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

PAGE_BYTES = 3 * 1024 * 1024
"""Bytes of a page, unless its first row alone is larger. Clients of gRPC take four MiB, unless told otherwise."""


def within(found: list[M]) -> list[M]:
    """Shorten a page that one message could not carry; there is always a first row."""
    size = 0
    for index, row in enumerate(found):
        size += row.ByteSize()
        if index and size > PAGE_BYTES:
            return found[:index]
    return found
