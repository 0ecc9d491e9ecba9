"""A run's exchanges with models, from the sidecar's reports to events and bodies."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from signet.v1 import events_pb2, usage_pb2
from workers.text import cut
from workers.upload import Body, Uploader

ERROR_BYTES = 2048
PATH_BYTES = 2048
"""Of an API's path with its query, which stand in the record."""
COUNTS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


@dataclass
class Open:
    """An exchange that has begun."""

    path: str
    model: str
    request_digest: str


@dataclass
class Exchanges:
    """What the sidecar saw, told to the record. `index` is the number that the next exchange gets."""

    uploader: Uploader
    index: int = 1
    _open: dict[int, Open] = field(default_factory=dict)

    def started(self, fields: Mapping[str, Any], body: bytes) -> None:
        """Note that a request began."""
        request = Body.of(body)
        index, path, model = fields["index"], cut(fields["path"], PATH_BYTES), cut(fields["model"], 256)
        self.index = max(self.index, index + 1)
        self._open[index] = Open(path, model, request.digest)
        self.uploader.add(
            [request], model_call_started=events_pb2.ModelCallStarted(index=index, model=model, path=path)
        )

    def finished(self, fields: Mapping[str, Any], body: bytes) -> None:
        """Note that an answer ended, well or not."""
        begun = self._open.pop(fields["index"])
        answer = Body.of(body)
        said: Mapping[str, Any] = fields["usage"] or {}
        event = events_pb2.ModelCallFinished(
            index=fields["index"],
            path=begun.path,
            model=begun.model,
            provider=_text(said, "provider"),
            upstream_model=_text(said, "model"),
            status=fields["status"],
            request_digest=begun.request_digest,
            response_digest=answer.digest,
            first_byte_micros=fields["first_byte_micros"],
            duration_micros=fields["duration_micros"],
            usage=usage_of(said),
            error=cut(fields["error"] or explained(fields["status"], body), ERROR_BYTES),
        )
        self.uploader.add([answer], model_call_finished=event)
        if fields["cut"]:
            message = f"The answer of exchange {event.index} was longer than what is recorded of it: {len(body)} bytes."
            self.uploader.add(notice=events_pb2.Notice(code="record_cut", message=message))

    def lost(self) -> None:
        """End what a sidecar that died had begun."""
        for index in list(self._open):
            fields = {"index": index, "status": 0, "first_byte_micros": 0, "duration_micros": 0, "usage": None}
            self.finished({**fields, "error": "the inference sidecar ended; it is started anew", "cut": False}, b"")


def usage_of(said: Mapping[str, Any]) -> usage_pb2.Usage:
    """Read the router's word on usage; what is no number there counts as nothing."""
    if not said:
        return usage_pb2.Usage()
    usage = usage_pb2.Usage(calls=1, estimated=said.get("estimated") is True)
    for name in COUNTS:
        setattr(usage, name, _count(said.get(name)))
    if isinstance(said.get("cost_microusd"), int):
        usage.cost_microusd = _count(said["cost_microusd"])
    return usage


def explained(status: int, body: bytes) -> str:
    """Give the message of an error answer, "" for a good one."""
    if status < 400:  # noqa: PLR2004 - where errors begin
        return ""
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, LookupError, TypeError, RecursionError):
        message = ""
    return message if isinstance(message, str) and message else f"status {status}"


def _count(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 1 << 62 else 0


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return cut(value, 256) if isinstance(value, str) else ""
