"""An answer that is no stream: a message of this form to a neutral completion, and back."""

import json
import time
from collections.abc import Mapping
from typing import Any

from router.ask import Ask
from router.dialects.messages import stops, thoughts, turns
from router.dialects.messages import usage as counts
from router.dialects.messages.shape import part
from router.refusal import Refusal, provider_error
from router.usage import chat_words

_CHAT_ID = "chatcmpl-"
_ID = "msg_"


def read(native: dict[str, Any]) -> dict[str, Any]:
    """Read a message. Raises Refusal (502) for what is none."""
    content = native.get("content")
    if native.get("type") != "message" or not isinstance(content, list):
        raise provider_error("the provider answered 200 with something that is no message")
    blocks = [block for block in content if isinstance(block, dict)]
    try:
        message = _message(blocks) | thoughts.read(blocks, "content")
    except Refusal as refusal:
        raise provider_error(f"the provider's message is damaged: {refusal.message}") from refusal
    if native.get("stop_reason") == "refusal" and (why := stops.explained(native)):
        message["refusal"] = why
    used = counts.usage(native)
    found = {
        "id": str(native.get("id") or ""),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": str(native.get("model") or ""),
        "choices": [{"index": 0, "message": message, "logprobs": None, **stops.read(native)}],
    }
    return found | ({"usage": chat_words(used)} if used else {})


def _message(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    words = [str(block.get("text") or "") for block in blocks if block.get("type") == "text"]
    calls = [
        turns.called(block, f"content.{index}") for index, block in enumerate(blocks) if block.get("type") == "tool_use"
    ]
    found: dict[str, Any] = {"role": "assistant", "content": "".join(words) if words or not calls else None}
    return found | {"refusal": None} | ({"tool_calls": calls} if calls else {})


def write(ask: Ask, neutral: Mapping[str, Any]) -> dict[str, Any]:
    """Write a neutral completion. Raises Refusal (502) for what is none."""
    choices = neutral.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = part(choice, "message")
    if not isinstance(choice, Mapping) or not message:
        raise provider_error("the provider answered 200 with something that is no completion")
    cut = choice.get("finish_reason") == "length"
    content = thoughts.shown(message)
    words = message.get("content")
    refusal = message.get("refusal")
    refusal = refusal if isinstance(refusal, str) else ""
    if said := (words if isinstance(words, str) and words else refusal):
        content.append({"type": "text", "text": said})
    calls = message.get("tool_calls")
    used = [_used(call, cut=cut) for call in (calls if isinstance(calls, list) else ())]
    return {
        "id": ident(neutral),
        "type": "message",
        "role": "assistant",
        "model": str(neutral.get("model") or ask.model),
        "content": content + used,
        **stops.write(choice, calls=bool(used), refusal=refusal),
        "usage": counts.write(neutral.get("usage")),
    }


def ident(neutral: Mapping[str, Any]) -> str:
    """Give an answer's id as this form's are."""
    given = str(neutral.get("id") or "")
    return given if given.startswith(_ID) else _ID + given.removeprefix(_CHAT_ID)


def _used(call: object, *, cut: bool) -> dict[str, Any]:
    """Write a call of a tool. One whose arguments were cut off with the answer has none."""
    function = part(call, "function")
    ident, name, given = part({"it": call}, "it").get("id"), function.get("name"), function.get("arguments") or "{}"
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        found = {} if cut else None
    if not isinstance(found, dict) or not isinstance(name, str):
        raise provider_error("the model called a tool with arguments that are no JSON object")
    return {"type": "tool_use", "id": str(ident or f"toolu_{name}"), "name": name, "input": found}
