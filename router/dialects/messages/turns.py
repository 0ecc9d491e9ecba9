"""The conversation: turns of this form to the neutral form's messages, and back.

Here there are two that speak in turns, what tools gave belongs to the user's, and what the system is told stands apart.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from router.dialects.messages import parts, thoughts
from router.dialects.messages.reach import Reach
from router.dialects.messages.shape import blocks, listed, marked, part, text
from router.refusal import bad_request

_SYSTEM = ("system", "developer")
_NO_ID = re.compile(r"[^a-zA-Z0-9_-]")
_FAILED = "Error: "


def read(body: Mapping[str, Any], reach: Reach) -> list[dict[str, Any]]:
    """Read `system` and `messages`. Raises Refusal (400)."""
    found: list[dict[str, Any]] = []
    if body.get("system"):
        found.append({"role": "system", "content": parts.simple(parts.read_all(body["system"], "system", reach))})
    turns = listed(body.get("messages"), "messages")
    if not turns:
        raise bad_request("messages: at least one message is required", "messages")
    for index, turn in enumerate(turns):
        at = f"messages.{index}"
        role, content = turn.get("role"), turn.get("content")
        if not isinstance(content, str | list):
            raise bad_request(f"{at}.content: must be a text or a list of blocks", f"{at}.content")
        if role == "assistant":
            found.append(_assistant(content, f"{at}.content", reach))
        elif role == "user":
            found += _user(content, f"{at}.content", reach)
        elif role == "system":
            said = parts.read_all(content, f"{at}.content", reach)
            found.append({"role": "system", "content": parts.simple(said)})
        else:
            raise bad_request(f"{at}.role: must be user or assistant", f"{at}.role")
    return found


def _user(content: str | list[Any], at: str, reach: Reach) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    results: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    for index, block in enumerate(blocks(content, at)):
        if block["type"] == "tool_result":
            result, seen = _result(block, f"{at}.{index}", reach)
            results.append(result)
            said += seen
        else:
            said += parts.read(block, f"{at}.{index}", reach)
    if said or not results:
        results.append({"role": "user", "content": parts.simple(said) if said else ""})
    return results


def _result(block: dict[str, Any], at: str, reach: Reach) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read what a tool gave: its text, and what of it has to be shown by the user, for tools give texts only."""
    ident = text(block, "tool_use_id", at)
    given = parts.read_all(block.get("content") or "", f"{at}.content", reach)
    words = "\n".join(each["text"] for each in given if each["type"] == "text")
    if block.get("is_error") is True and not words.lower().startswith("error"):
        words = _FAILED + words
    seen = [each for each in given if each["type"] != "text"]
    if seen:
        seen = [{"type": "text", "text": f"Besides, the tool gave for {ident}:"}, *seen]
    mark = marked(block)
    content: str | list[dict[str, Any]] = [{"type": "text", "text": words, **mark}] if mark else words
    return {"role": "tool", "tool_call_id": ident, "content": content}, seen


def _assistant(content: str | list[Any], at: str, reach: Reach) -> dict[str, Any]:
    if isinstance(content, str):
        return {"role": "assistant", "content": content}
    given = blocks(content, at)
    words: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for index, block in enumerate(given):
        if block["type"] == "text":
            words += parts.read(block, f"{at}.{index}", reach)
        elif block["type"] == "tool_use":
            calls.append(called(block, f"{at}.{index}"))
    plain = all(each.keys() == {"type", "text"} for each in words)
    said: Any = "".join(each["text"] for each in words) if plain else words
    found: dict[str, Any] = {"role": "assistant", "content": said if said or not calls else None}
    return found | thoughts.read(given, at) | ({"tool_calls": calls} if calls else {})


def called(block: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Read a block of a tool's call. Raises Refusal (400)."""
    if not isinstance(block.get("input"), dict):
        raise bad_request(f"{at}.input: must be an object", f"{at}.input")
    arguments = json.dumps(block["input"], separators=(",", ":"), ensure_ascii=False)
    function = {"name": text(block, "name", at), "arguments": arguments}
    return {"id": text(block, "id", at), "type": "function", "function": function}


def write(body: Mapping[str, Any], besides: list[str]) -> dict[str, Any]:
    """Write the neutral messages as `system` and `messages`; `besides` is told to the system. Raises Refusal (400)."""
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    for index, message in enumerate(listed(body.get("messages"), "messages")):
        at, role = f"messages.{index}", message.get("role")
        if role in _SYSTEM:
            system += parts.write(message.get("content"), f"{at}.content")
            continue
        if role == "assistant":
            said = _spoken(message, at)
        elif role == "tool":
            said, role = [_given(message, at)], "user"
        elif role == "user":
            said = parts.write(message.get("content"), f"{at}.content")
        else:
            raise bad_request(f"{at}.role: must be system, user, assistant or tool", f"{at}.role")
        if said and turns and turns[-1]["role"] == role:
            turns[-1]["content"] += said
        elif said:
            turns.append({"role": role, "content": said})
    if not turns:
        raise bad_request("messages: at least one must say something", "messages")
    _trim(turns[-1])
    system += [{"type": "text", "text": each} for each in besides]
    return {"system": parts.simple(system), "messages": turns} if system else {"messages": turns}


def names(turns: list[dict[str, Any]]) -> list[str]:
    """Give the names of the tools that were called in written turns."""
    return [block["name"] for turn in turns for block in turn["content"] if block.get("type") == "tool_use"]


def _spoken(message: dict[str, Any], at: str) -> list[dict[str, Any]]:
    said = thoughts.write(message) + parts.write(message.get("content"), f"{at}.content")
    if message.get("refusal") and not message.get("content"):
        said.append({"type": "text", "text": text(message, "refusal", at)})
    if message.get("function_call"):
        raise bad_request(f"{at}.function_call: use tool_calls", f"{at}.function_call")
    calls = listed(message.get("tool_calls") or [], f"{at}.tool_calls")
    return said + [used(call, f"{at}.tool_calls.{index}") for index, call in enumerate(calls)]


def used(call: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Write a neutral call of a tool. Raises Refusal (400) for arguments that are no JSON object."""
    function = part(call, "function")
    ident, name = text(call, "id", at), text(function, "name", f"{at}.function")
    return {"type": "tool_use", "id": _ident(ident), "name": name, "input": _arguments(function, f"{at}.function")}


def _arguments(function: Mapping[str, Any], at: str) -> dict[str, Any]:
    given = function.get("arguments") or "{}"
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise bad_request(f"{at}.arguments: must be a JSON object, as a text", f"{at}.arguments")
    return found


def _given(message: dict[str, Any], at: str) -> dict[str, Any]:
    """Write what a tool gave. Where a prompt's cached beginning ends, this form wants to know at its outside only."""
    found: dict[str, Any] = {"type": "tool_result", "tool_use_id": _ident(text(message, "tool_call_id", at))}
    content = message.get("content")
    written = parts.write(content, f"{at}.content")
    mark = next((block["cache_control"] for block in reversed(written) if "cache_control" in block), None)
    inner = [{name: value for name, value in block.items() if name != "cache_control"} for block in written]
    if inner:
        found["content"] = parts.simple(inner)
    if message.get("is_error") is True:
        found["is_error"] = True
    return found | ({"cache_control": mark} if mark else marked(message))


def _ident(given: str) -> str:
    """Give an id as this form takes it: other providers' hold dots and colons."""
    return _NO_ID.sub("_", given)


def _trim(last: dict[str, Any]) -> None:
    """Take the white space from the end of an answer that is to be continued: this form refuses it."""
    block = last["content"][-1]
    if last["role"] == "assistant" and block.get("type") == "text":
        last["content"][-1] = {**block, "text": block["text"].rstrip() or "."}
