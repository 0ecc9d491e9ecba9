"""What worker and sidecar tell each other: a JSON line each, followed by as many bytes as its `bytes` says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Message:
    """`kind` is arm, renew, disarm, armed, renewed, disarmed, started or finished; `body` an exchange's bytes."""

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    body: bytes = b""


def encode(kind: str, fields: Fields, body: bytes = b"") -> bytes:
    """Write one message."""
    return json.dumps({"kind": kind, **fields, "bytes": len(body)}).encode() + b"\n" + body


def take(buffer: bytearray) -> Message | None:
    """Take the next whole message out of a buffer; None where more bytes are needed."""
    end = buffer.find(b"\n")
    if end < 0:
        return None
    fields = json.loads(buffer[:end])
    stop = end + 1 + fields.pop("bytes")
    if len(buffer) < stop:
        return None
    body = bytes(buffer[end + 1 : stop])
    del buffer[:stop]
    return Message(fields.pop("kind"), fields, body)
