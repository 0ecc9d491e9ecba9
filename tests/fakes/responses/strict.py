"""What the Responses API refuses: words that it does not know, items that do not belong together."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.provider import Reply

_KNOWN = {
    "background", "context_management", "conversation", "include", "input", "instructions", "max_output_tokens",
    "max_tool_calls", "metadata", "model", "parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key",
    "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "stream", "stream_options",
    "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
}  # fmt: skip
_ITEMS: Mapping[str, tuple[set[str], set[str]]] = {
    "message": ({"role", "content"}, {"type", "id", "status", "phase"}),
    "function_call": ({"type", "call_id", "name", "arguments"}, {"id", "status"}),
    "function_call_output": ({"type", "call_id", "output"}, {"id", "status"}),
    "custom_tool_call": ({"type", "call_id", "name", "input"}, {"id", "status"}),
    "custom_tool_call_output": ({"type", "call_id", "output"}, {"id", "status"}),
    "reasoning": ({"type", "summary"}, {"id", "content", "encrypted_content", "status"}),
    "item_reference": ({"id"}, {"type"}),
}
_PARTS: Mapping[str, tuple[set[str], set[str]]] = {
    "input_text": ({"type", "text"}, set()),
    "input_image": ({"type"}, {"image_url", "file_id", "detail"}),
    "input_file": ({"type"}, {"file_data", "file_id", "file_url", "filename"}),
    "output_text": ({"type", "text"}, {"annotations", "logprobs"}),
    "refusal": ({"type", "refusal"}, set()),
}
_SPOKEN = {"assistant": ("output_text", "refusal")}
_HEARD = ("input_text", "input_image", "input_file")
_TOOLS = {"function", "custom", "web_search", "file_search", "mcp", "local_shell"}


class _Wrong(Exception):
    def __init__(self, message: str, param: str, code: str = "invalid_value", status: int = 400) -> None:
        super().__init__(message)
        self.reply = Reply(
            status=status,
            error={"message": message, "type": "invalid_request_error", "param": param, "code": code},
        )


class Strict:
    """Checks requests for models of these names."""

    def __init__(self, models: tuple[str, ...]) -> None:
        self._models = models

    def check(self, request: Mapping[str, Any]) -> Reply | None:
        """Give the error's reply; None for a request that is right."""
        try:
            self._check(request)
        except _Wrong as wrong:
            return wrong.reply
        return None

    def _check(self, request: Mapping[str, Any]) -> None:
        for name in request:
            if name not in _KNOWN:
                raise _Wrong(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
        if request.get("model") not in self._models:
            message = f"The requested model '{request.get('model')}' does not exist."
            raise _Wrong(message, "model", "model_not_found", 404)
        if not isinstance(request.get("input"), str | list):
            raise _Wrong("Missing required parameter: 'input'.", "input", "missing_required_parameter")
        if isinstance(request["input"], list):
            _items(request["input"])
        _settings(request)
        _tools(request)


def _items(items: list[Any]) -> None:
    calls: dict[str, str] = {}
    for index, item in enumerate(items):
        at = f"input[{index}]"
        kind = item.get("type", "message" if "role" in item else "")
        if kind not in _ITEMS:
            raise _Wrong(f"Invalid value: '{kind}'.", f"{at}.type")
        _fields(item, at, *_ITEMS[kind])
        if kind == "message":
            _content(item, at)
        elif kind == "reasoning" and not (item.get("id") or item.get("encrypted_content")):
            raise _Wrong(f"Missing required parameter: '{at}.id'.", f"{at}.id", "missing_required_parameter")
        elif kind.endswith("_call"):
            calls[item["call_id"]] = kind
        elif kind.endswith("_output"):
            if calls.pop(item["call_id"], None) != kind.removesuffix("_output"):
                raise _Wrong(
                    f"No tool call found for {kind.replace('_', ' ')} with call_id {item['call_id']}.", "input"
                )
            _parts(item["output"], f"{at}.output", _HEARD)
    for call_id in calls:
        raise _Wrong(f"No tool output found for function call {call_id}.", "input")


def _content(item: Mapping[str, Any], at: str) -> None:
    if item["role"] not in ("user", "assistant", "system", "developer"):
        raise _Wrong(f"Invalid value: '{item['role']}'.", f"{at}.role")
    _parts(item["content"], f"{at}.content", _SPOKEN.get(item["role"], _HEARD))


def _parts(given: Any, at: str, kinds: tuple[str, ...]) -> None:
    if isinstance(given, str):
        return
    if not isinstance(given, list):
        raise _Wrong(f"Invalid type for '{at}'.", at, "invalid_type")
    for index, part in enumerate(given):
        where = f"{at}[{index}]"
        if part.get("type") not in kinds:
            said = f"Invalid value: '{part.get('type')}'. Supported values are: {', '.join(kinds)}."
            raise _Wrong(said, f"{where}.type")
        _fields(part, where, *_PARTS[part["type"]])


def _fields(given: Mapping[str, Any], at: str, needed: set[str], allowed: set[str]) -> None:
    for name in sorted(needed - given.keys()):
        raise _Wrong(f"Missing required parameter: '{at}.{name}'.", f"{at}.{name}", "missing_required_parameter")
    for name in given.keys() - needed - allowed:
        raise _Wrong(f"Unknown parameter: '{at}.{name}'.", f"{at}.{name}", "unknown_parameter")


def _settings(request: Mapping[str, Any]) -> None:
    most = request.get("max_output_tokens")
    if most is not None and (type(most) is not int or most < 1):
        raise _Wrong("Invalid 'max_output_tokens'.", "max_output_tokens", "integer_below_min_value")
    for name in ("text", "reasoning", "metadata", "stream_options"):
        if not isinstance(request.get(name), dict | None):
            raise _Wrong(f"Invalid type for '{name}': expected an object.", name, "invalid_type")
    for name in (request.get("stream_options") or {}).keys() - {"include_obfuscation"}:
        raise _Wrong(f"Unknown parameter: 'stream_options.{name}'.", f"stream_options.{name}", "unknown_parameter")
    given = (request.get("text") or {}).get("format")
    if given is None:
        return
    needed = {"type", "name", "schema"} if given.get("type") == "json_schema" else {"type"}
    _fields(given, "text.format", needed, {"strict", "description"})
    if given.get("strict"):
        _strict(given["schema"], "text.format.schema")


def _tools(request: Mapping[str, Any]) -> None:
    names = set()
    for index, tool in enumerate(request.get("tools") or ()):
        at = f"tools[{index}]"
        if tool.get("type") not in _TOOLS:
            raise _Wrong(f"Invalid value: '{tool.get('type')}'.", f"{at}.type")
        if tool["type"] == "function":
            _fields(tool, at, {"type", "name", "parameters"}, {"strict", "description"})
            if tool.get("strict", True):
                _strict(tool["parameters"], f"{at}.parameters")
        names.add(tool.get("name"))
    choice = request.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "function" and choice.get("name") not in names:
        raise _Wrong("Tool choice 'function' not found in 'tools' parameter.", "tool_choice")


def _strict(schema: Any, at: str) -> None:
    """Check what OpenAI wants of a schema that is kept to: every property required, and no other."""
    for inner in _objects(schema or {}):
        if inner.get("additionalProperties") is not False or set(inner.get("required", ())) != set(
            inner.get("properties", {})
        ):
            message = "Invalid schema: 'additionalProperties' is required to be supplied and to be false."
            raise _Wrong(message, at, "invalid_function_parameters")


def _objects(schema: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object":
        yield schema
    for value in schema.values():
        for inner in value.values() if isinstance(value, dict) else ():
            yield from _objects(inner)
