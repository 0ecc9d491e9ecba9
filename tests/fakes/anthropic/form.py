"""Anthropic's form on the wire: a reply as a message, or as the events of one."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.anthropic.check import sign
from tests.fakes.provider.reply import CACHED_TOKENS, PROMPT_TOKENS, REASONING_TOKENS, Fault, Reply, words

WRITTEN_TOKENS = 2
_STOPS = {"stop": "end_turn", "length": "max_tokens"}
_PIECE = 7


def failed(status: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Make the reply that is an error of this form."""
    return Reply(status=status, raw=json.dumps(error(status, message)), headers=headers or {})


def error(status: int, message: str) -> dict[str, Any]:
    """Write an error."""
    kinds = {
        400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
        413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error",
    }  # fmt: skip
    told = {"type": kinds.get(status, "api_error"), "message": message}
    return {"type": "error", "error": told, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}


def usage(reply: Reply) -> dict[str, Any]:
    """Give the usage that belongs to a reply: the prompt's tokens are in three parts."""
    return {
        "input_tokens": PROMPT_TOKENS - CACHED_TOKENS - WRITTEN_TOKENS,
        "cache_creation_input_tokens": WRITTEN_TOKENS,
        "cache_read_input_tokens": CACHED_TOKENS,
        "cache_creation": {"ephemeral_5m_input_tokens": WRITTEN_TOKENS - 1, "ephemeral_1h_input_tokens": 1},
        "output_tokens": len(words(reply.text)) + REASONING_TOKENS,
        "output_tokens_details": {"thinking_tokens": REASONING_TOKENS},
        "service_tier": "standard",
    }


def chat(request: Mapping[str, Any]) -> dict[str, Any]:
    """Say what is asked in chat's words, as far as an answerer looks at it: the last thing that was said."""
    last = request["messages"][-1]
    blocks = [{"type": "text", "text": last["content"]}] if isinstance(last["content"], str) else last["content"]
    results = [block.get("content", "") for block in blocks if block["type"] == "tool_result"]
    found: dict[str, Any] = {"max_tokens": request["max_tokens"], "tools": request.get("tools")}
    if results:
        texts = [text if isinstance(text, str) else _text(text) for text in results]
        return {**found, "messages": [{"role": "tool", "content": " ".join(texts)}]}
    if schema := (request.get("output_config") or {}).get("format"):
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {**found, "messages": [{"role": last["role"], "content": _text(blocks)}]}


def whole(reply: Reply, request: Mapping[str, Any]) -> bytes:
    """Write a whole message."""
    value = {**_head(request["model"]), "content": list(_blocks(reply)), **_ended(reply), **reply.fields}
    if reply.usage != "missing":
        value["usage"] = None if reply.usage == "null" else usage(reply)
    return json.dumps(value).encode()


def events(reply: Reply, request: Mapping[str, Any]) -> Iterator[bytes]:
    """Write a streamed message, an event at a time."""
    said = usage(reply)
    head = {**_head(request["model"]), "content": [], "stop_reason": None, "stop_sequence": None, **reply.fields}
    if reply.usage != "missing":
        head["usage"] = {**said, "output_tokens": 1}
    yield _event(reply, "message_start", message=head)
    yield _event(reply, "ping")
    for index, block in enumerate(_blocks(reply)):
        yield from _block(reply, index, block)
    if reply.fault is Fault.NO_DONE:
        return
    if reply.fault is Fault.GARBAGE_EVENT:
        yield b"event: content_block_delta\ndata: <html>\n\n"
    if reply.fault is Fault.ERROR_EVENT:
        yield _event(reply, "error", error={"type": "overloaded_error", "message": "Overloaded"})
        return
    for _ in range(2 if reply.usage == "twice" else 1):
        made = {} if reply.usage in ("missing", "null") else {"usage": {"output_tokens": said["output_tokens"]}}
        yield _event(reply, "message_delta", delta=_ended(reply), **made)
    yield _event(reply, "message_stop")


def _text(blocks: list[Mapping[str, Any]]) -> str:
    return "".join(block["text"] if block["type"] == "text" else f"[{block['type']}]" for block in blocks)


def _head(model: str) -> dict[str, Any]:
    return {"id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "role": "assistant", "model": model}


def _ended(reply: Reply) -> dict[str, Any]:
    reason = "tool_use" if reply.tool_calls else _STOPS.get(reply.finish, reply.finish)
    return {"stop_reason": reason, "stop_sequence": None, "stop_details": None}


def _blocks(reply: Reply) -> Iterator[dict[str, Any]]:
    if reply.reasoning:
        yield {"type": "thinking", "thinking": reply.reasoning, "signature": sign(reply.reasoning)}
    if reply.text and not reply.tool_calls:
        yield {"type": "text", "text": reply.text}
    for call in reply.tool_calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": dict(call.arguments)}


def _block(reply: Reply, index: int, block: dict[str, Any]) -> Iterator[bytes]:
    start: dict[str, Any]
    if block["type"] == "text":
        start, deltas = {"text": ""}, [{"type": "text_delta", "text": word} for word in words(block["text"])]
    elif block["type"] == "thinking":
        start = {"thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": word} for word in words(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    else:
        text = json.dumps(block["input"]) if block["input"] else ""
        start = {"input": {}}
        pieces = ["", *(text[at : at + _PIECE] for at in range(0, len(text), _PIECE))]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    yield _event(reply, "content_block_start", index=index, content_block={**block, **start})
    for delta in deltas:
        yield _event(reply, "content_block_delta", index=index, delta=delta)
    yield _event(reply, "content_block_stop", index=index)


def _event(reply: Reply, kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields}, separators=(", ", " : ") if reply.usage == "spaced" else (",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".replace("\n", reply.newline).encode()
