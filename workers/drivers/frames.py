"""The frames of a tunnel: written and read here."""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

PAYLOAD_BYTES: Final = 256 * 1024
"""The longest payload of a frame; longer than a message of `workers.sandbox.wire` with its descriptors told."""

_HEAD: Final = struct.Struct("!BII")
_COUNT: Final = struct.Struct("!I")


class Kind(IntEnum):
    """What a frame is."""

    MESSAGE = 1
    """One message of the control socket: JSON, channel 0."""
    DATA = 2
    """Bytes for a channel, never more than it has credit for."""
    END = 3
    """No more bytes come on this channel."""
    STOP = 4
    """Nobody takes the bytes of this channel any more."""
    CREDIT = 5
    """So many more bytes may be sent on this channel."""
    ACCEPTED = 6
    """A connection was accepted, which has this channel from now on; the payload is its listener's channel."""
    SIZE = 7
    """The terminal of this channel has another size."""


_KINDS: Final = frozenset(int(kind) for kind in Kind)


class BadFrame(Exception):
    """The other side sent what is no frame."""


def encode(kind: Kind, channel: int, payload: bytes = b"") -> bytes:
    """Make a frame. ValueError for a payload that is too long."""
    if len(payload) > PAYLOAD_BYTES:
        raise ValueError(f"a frame has {len(payload)} bytes; {PAYLOAD_BYTES} is the most.")
    return _HEAD.pack(kind, channel, len(payload)) + payload


def count(number: int) -> bytes:
    """Make the payload of CREDIT and ACCEPTED."""
    return _COUNT.pack(number)


def counted(payload: bytes) -> int:
    """Read the payload of CREDIT and ACCEPTED. Raises BadFrame."""
    if len(payload) != _COUNT.size:
        raise BadFrame("a number of another length")
    return int(_COUNT.unpack(payload)[0])


def take(buffer: bytearray) -> Iterator[tuple[Kind, int, bytes]]:
    """Take the whole frames at the begin of `buffer`, which keeps the rest. Raises BadFrame."""
    while len(buffer) >= _HEAD.size:
        kind, channel, length = _HEAD.unpack_from(buffer)
        if length > PAYLOAD_BYTES or kind not in _KINDS:
            raise BadFrame(f"kind {kind} with {length} bytes")
        end = _HEAD.size + length
        if len(buffer) < end:
            return
        payload = bytes(buffer[_HEAD.size : end])
        del buffer[:end]
        yield Kind(kind), channel, payload
