"""Items of a conversation, to chat's messages and back."""

from collections.abc import Iterator, Mapping
from typing import Any

from router.dialects.responses import parts, thoughts
from router.dialects.responses.reach import Reach
from router.refusal import bad_request

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_CALLS = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
_MOST_ID = 64


def read(given: object, reach: Reach) -> list[dict[str, Any]]:
    """Read `input`, which is a text or a list of items. Raises Refusal (400)."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise bad_request("input must be a text or a list of at least one item", "input")
    conversation = _Conversation(reach)
    for index, item in enumerate(given):
        at = f"input[{index}]"
        if not isinstance(item, dict):
            raise bad_request(f"{at} must be an object", at)
        conversation.take(item, at)
    return conversation.messages()


class _Conversation:
    """Puts items together to messages: what a model thought, said and called is one of its messages."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._messages: list[dict[str, Any]] = []

    def messages(self) -> list[dict[str, Any]]:
        """Give the messages. Of thoughts only those are kept that led to calls: models need no others back."""
        return [kept for message in self._messages if (kept := _kept(message)) is not None]

    def take(self, item: dict[str, Any], at: str) -> None:
        kind = item.get("type") or ("message" if "role" in item else "")
        if not isinstance(kind, str) or not kind:
            raise bad_request(f"{at} must have a type: message, function_call, function_call_output, …", f"{at}.type")
        if kind == "message":
            self._message(item, at)
        elif kind in _CALLS:
            self._call(item, at, *_CALLS[kind])
        elif kind in _OUTPUTS:
            call = parts.text(item, "call_id", at)
            content = parts.read(item.get("output"), f"{at}.output", self._reach)
            self._messages.append({"role": "tool", "tool_call_id": call, "content": content})
        elif kind == "reasoning":
            self._think(item, at)
        elif kind == "item_reference":
            self._reach.stored("an item_reference", f"{at}.type")
        else:
            self._reach.only(f"an item of type {kind!r}", f"{at}.type")

    def _message(self, item: dict[str, Any], at: str) -> None:
        role = item.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            raise bad_request(f"{at}.role must be one of {', '.join(_ROLES)}", f"{at}.role")
        if role != "assistant":
            content = parts.read(item.get("content"), f"{at}.content", self._reach)
            self._messages.append({"role": _ROLES[role], "content": content})
            return
        text, refusal = parts.spoken(item.get("content"), f"{at}.content", self._reach)
        message = self._model(after_words=False)
        message["content"] = text or None
        if refusal:
            message["refusal"] = refusal

    def _call(self, item: dict[str, Any], at: str, kind: str, field: str) -> None:
        call = {
            "id": parts.text(item, "call_id", at),
            "type": kind,
            kind: {"name": parts.text(item, "name", at), field: parts.text(item, field, at)},
        }
        self._model(after_words=True).setdefault("tool_calls", []).append(call)

    def _think(self, item: dict[str, Any], at: str) -> None:
        message = self._model(after_words=False, after_calls=False)
        if text := thoughts.text(item, at):
            before = message.get("reasoning_content")
            message["reasoning_content"] = f"{before}\n\n{text}" if before else text
        if details := thoughts.unpacked(item, at):
            message.setdefault("reasoning_details", []).extend(details)

    def _model(self, *, after_words: bool, after_calls: bool = True) -> dict[str, Any]:
        """Give the message of the model's that goes on, or a new one."""
        last = self._messages[-1] if self._messages else None
        if last is not None and last["role"] == "assistant":
            spoke = bool(last["content"] or last.get("refusal"))
            if (after_words or not spoke) and (after_calls or not last.get("tool_calls")):
                return last
        self._messages.append({"role": "assistant", "content": None})
        return self._messages[-1]


def _kept(message: dict[str, Any]) -> dict[str, Any] | None:
    if message["role"] != "assistant" or message.get("tool_calls"):
        return message
    spoken = {name: value for name, value in message.items() if not name.startswith("reasoning_")}
    return spoken if spoken["content"] or spoken.get("refusal") else None


def write(messages: object) -> list[dict[str, Any]]:
    """Write messages as items. Raises Refusal (400) for what this form cannot say."""
    if not isinstance(messages, list):
        raise bad_request("messages must be a list", "messages")
    custom: set[str] = set()
    found: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        found += _write(message, f"messages[{index}]", custom)
    return found


def _write(message: Mapping[str, Any], at: str, custom: set[str]) -> Iterator[dict[str, Any]]:
    role = message.get("role")
    if role in ("user", "system", "developer"):
        content = parts.write(message.get("content"), f"{at}.content")
        yield {"type": "message", "role": role, "content": content}
    elif role == "tool":
        call = parts.text(message, "tool_call_id", at)
        kind = _OUTPUTS[call in custom]
        yield {"type": kind, "call_id": call, "output": parts.write(message.get("content"), f"{at}.content")}
    elif role == "assistant":
        yield from thoughts.items(message)
        yield from _words(message, at)
        yield from _calls(message.get("tool_calls"), at, custom)
    else:
        raise bad_request(f"{at}.role {role!r} cannot be put to a Responses API", f"{at}.role")


def _words(message: Mapping[str, Any], at: str) -> Iterator[dict[str, Any]]:
    content = message.get("content")
    text, refusal = ("", "") if content is None else parts.spoken(content, f"{at}.content", Reach())
    refusal = refusal or str(message.get("refusal") or "")
    said: list[dict[str, Any]] = []
    if text:
        said.append({"type": "output_text", "text": text, "annotations": []})
    if refusal:
        said.append({"type": "refusal", "refusal": refusal})
    if said:
        yield {"type": "message", "role": "assistant", "content": said}


def _calls(given: object, at: str, custom: set[str]) -> Iterator[dict[str, Any]]:
    for index, call in enumerate(given if isinstance(given, list) else ()):
        where = f"{at}.tool_calls[{index}]"
        if not isinstance(call, dict):
            raise bad_request(f"{where} must be an object", where)
        ident = parts.text(call, "id", where)
        if len(ident) > _MOST_ID:
            raise bad_request(f"{where}.id is longer than {_MOST_ID} characters", f"{where}.id")
        for kind, (inner, field) in _CALLS.items():
            said = call.get(inner)
            if not isinstance(said, dict) or call.get("type", "function") != inner:
                continue
            if inner == "custom":
                custom.add(ident)
            name, rest = parts.text(said, "name", f"{where}.{inner}"), parts.text(said, field, f"{where}.{inner}")
            yield {"type": kind, "call_id": ident, "name": name, field: rest}
            break
        else:
            raise bad_request(f"{where} must be a call of a function or a custom tool", where)
