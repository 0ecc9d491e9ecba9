"""What the fake provider answers, right or wrong, as bytes on the wire."""

import base64
import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from tests.fakes.provider.style import PLAIN, Style


class Fault(Enum):
    """What goes wrong with an answer."""

    NONE = "none"
    RESET_AT_ONCE = "reset_at_once"  # the connection is reset before an answer
    STALL_AT_ONCE = "stall_at_once"  # no answer ever comes
    RESET = "reset"  # the connection is reset after half of the answer
    STALL = "stall"  # half of the answer comes, then nothing
    HALF_EVENT = "half_event"  # the answer ends, as if whole, in the middle of an event
    NO_DONE = "no_done"  # a stream ends without finish_reason and [DONE]
    GARBAGE = "garbage"  # a page of HTML with status 200
    GARBAGE_EVENT = "garbage_event"  # an event in the stream that is no JSON
    ERROR_EVENT = "error_event"  # an error event in the stream
    ENDLESS = "endless"  # a stream without an end
    OPEN_END = "open_end"  # a whole stream, but the connection never says that it is over


@dataclass(frozen=True)
class ToolCall:
    """A tool that the fake model calls."""

    name: str
    arguments: Mapping[str, Any]
    id: str = "call_1"


@dataclass(frozen=True)
class Reply:
    """One answer. `usage`: once, missing, twice, null or spaced. `cut` bytes go into one write, 0 for all at once.

    `fields` stand beside `choices` in the answer, or in the first event: what nobody knows of. Its text is streamed a
    word at a time, or so many `letters`.
    """

    text: str = "Hello from the fake model."
    reasoning: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    tool_calls: tuple[ToolCall, ...] = ()
    status: int = 200
    error: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    usage: str = "once"
    newline: str = "\n"
    cut: int = 0
    delay_seconds: float = 0.0
    fault: Fault = Fault.NONE
    raw: str | None = None
    finish: str = "stop"
    letters: int = 0

    def shortened(self, most: object) -> "Reply":
        """Give the reply as a request's max_tokens allows it."""
        pieces = words(self.text)
        if not isinstance(most, int) or len(pieces) <= most:
            return self
        return replace(self, text="".join(pieces[:most]), finish="length")

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> "Reply":
        """Read one from JSON, as the HTTP control takes it."""
        fields = dict(value)
        fields["tool_calls"] = tuple(ToolCall(**call) for call in fields.get("tool_calls", ()))
        fields["fault"] = Fault(fields.get("fault", "none"))
        return cls(**fields)


PROMPT_TOKENS = 11
CACHED_TOKENS = 3
REASONING_TOKENS = 2


def words(text: str) -> list[str]:
    """Cut a text into the pieces that are streamed, one token each."""
    return [word + " " for word in text.split(" ")[:-1]] + text.split(" ")[-1:]


def usage(reply: Reply, style: Style = PLAIN) -> dict[str, Any]:
    """Give the usage that belongs to a reply."""
    made = len(words(reply.text)) + REASONING_TOKENS
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": made,
        "total_tokens": PROMPT_TOKENS + made,
        **style.details(CACHED_TOKENS, REASONING_TOKENS),
        **style.usage,
    }


def completion(reply: Reply, model: str, style: Style = PLAIN) -> bytes:
    """Write a whole chat answer."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, **style.thought(reply.reasoning)}
    if reply.tool_calls:
        message |= {"content": style.no_content, "tool_calls": _calls(reply)}
    value: dict[str, Any] = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        **style.fields,
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(reply), **style.choice}],
        **reply.fields,
        **style.last,
    }
    if reply.usage != "missing":
        value["usage"] = None if reply.usage == "null" else usage(reply, style)
    separators = (" , ", " : ") if reply.usage == "spaced" else None
    return json.dumps(value, separators=separators).encode()


def events(reply: Reply, model: str, style: Style = PLAIN, *, with_usage: bool) -> Iterator[bytes]:
    """Write a streamed chat answer, an event at a time."""
    yield from (f": {comment}".encode() + reply.newline.encode() * 2 for comment in style.comments)
    yield _event(reply, {**_chunk(model, style, {"role": "assistant", "content": ""}), **reply.fields})
    yield from (_event(reply, _chunk(model, style, delta)) for delta in _deltas(reply, style))
    if reply.fault is Fault.NO_DONE:
        return
    if reply.fault is Fault.GARBAGE_EVENT:
        yield b"data: <html>\n\n"
    if reply.fault is Fault.ERROR_EVENT:
        yield _event(reply, style.failed(_chunk(model, style, {"content": ""}, "error")))
        return
    yield _event(reply, {**_chunk(model, style, {}, _finish(reply)), **style.last})
    if with_usage and reply.usage != "missing":
        said = None if reply.usage == "null" else usage(reply, style)
        for _ in range(2 if reply.usage == "twice" else 1):
            yield _event(reply, {**_chunk(model, style, {}), "choices": [], "usage": said})
    yield b"data: [DONE]" + reply.newline.encode() * 2


def embeddings(request: Mapping[str, Any], model: str) -> bytes:
    """Write vectors that depend on the texts alone, and are alike for like texts."""
    given = request.get("input", "")
    texts = [given] if isinstance(given, str) else given
    data = []
    for index, text in enumerate(texts):
        vector = [byte / 255 for byte in hashlib.sha256(str(text).encode()).digest()[:8]]
        packed = base64.b64encode(struct.pack("<8f", *vector)).decode()
        value = packed if request.get("encoding_format") == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": value})
    said = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return json.dumps({"object": "list", "data": data, "model": model, "usage": said}).encode()


def _pieces(reply: Reply) -> list[str]:
    size = reply.letters
    return [reply.text[at : at + size] for at in range(0, len(reply.text), size)] if size else words(reply.text)


def _deltas(reply: Reply, style: Style) -> Iterator[dict[str, Any]]:
    yield from (style.thought(word) for word in words(reply.reasoning) if word)
    if not reply.tool_calls:
        yield from ({"content": piece} for piece in _pieces(reply))
    for index, call in enumerate(_calls(reply)):
        yield from ({"tool_calls": [piece]} for piece in style.pieces({"index": index, **call}))


def _chunk(model: str, style: Style, delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **style.choice}
    head = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1, "model": model, **style.fields}
    return {**head, "choices": [choice]}


def _event(reply: Reply, value: Mapping[str, Any]) -> bytes:
    separators = (", ", " : ") if reply.usage == "spaced" else (",", ":")
    return b"data: " + json.dumps(value, separators=separators).encode() + reply.newline.encode() * 2


def _calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}}
        for call in reply.tool_calls
    ]


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.tool_calls else reply.finish
