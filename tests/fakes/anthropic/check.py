"""What Anthropic's API refuses, in its own words: requests are looked at as strictly as it does."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

_FIELDS = {
    "model", "messages", "max_tokens", "cache_control", "container", "context_management", "inference_geo",
    "mcp_servers", "metadata", "output_config", "service_tier", "stop_sequences", "stream", "system", "temperature",
    "thinking", "tool_choice", "tools", "top_k", "top_p", "speed", "diagnostics",
}  # fmt: skip
_COUNTED = {"model", "messages", "system", "tools", "tool_choice", "thinking", "cache_control", "output_config"}
_BLOCKS = {
    "text": {"text", "citations"},
    "image": {"source"},
    "document": {"source", "title", "context", "citations"},
    "tool_use": {"id", "name", "input", "caller"},
    "tool_result": {"tool_use_id", "content", "is_error"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
    "search_result": {"source", "title", "content", "citations"},
}
_BY = {"user": {"text", "image", "document", "tool_result", "search_result"},
       "assistant": {"text", "tool_use", "thinking", "redacted_thinking"}}  # fmt: skip
_PICTURES = {"image/jpeg", "image/png", "image/gif", "image/webp"}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_IDENT = re.compile(r"[a-zA-Z0-9_-]+")
_LEAST_BUDGET = 1024
_MARKS = 4


class Bad(Exception):
    """Raised for a request that is wrong."""


def sign(thought: str) -> str:
    """Sign a thought, so that it is known again."""
    return "sig-" + base64.b64encode(thought.encode()).decode()


def check(body: Any, *, later: bool, counted: bool = False) -> None:
    """Look at a request; `later`: the model is one that decides itself how much to think. Raises Bad."""
    for name in body:
        _need(name in (_COUNTED if counted else _FIELDS), f"{name}: Extra inputs are not permitted")
    if not counted:
        most = body.get("max_tokens")
        _need(most is not None, "max_tokens: Field required")
        _need(type(most) is int and most >= 0, "max_tokens: Input should be a valid integer")
        _sampling(body, later=later)
    named = [tool.get("name") for tool in body.get("tools", [])]
    for index, tool in enumerate(body.get("tools", [])):
        _tool(tool, f"tools.{index}")
    choice = body.get("tool_choice") or {"type": "auto"}
    _need(choice.get("type") in ("auto", "any", "tool", "none"), "tool_choice: Input tag does not match")
    _need("tools" in body or "tool_choice" not in body, "tool_choice may only be specified while providing tools")
    _need(choice["type"] != "tool" or choice.get("name") in named, "tool_choice.name: Tool not found in provided tools")
    thinks = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    _need(not (thinks and choice["type"] in ("any", "tool")), "Thinking may not be enabled when tool_choice forces")
    _system(body.get("system", "x"))
    _form(body)
    _turns(body.get("messages"), named)
    _need(str(body).count("'cache_control'") <= _MARKS, "A maximum of 4 blocks with cache_control may be provided")


def _need(true: object, message: str) -> None:
    if not true:
        raise Bad(message)


def _sampling(body: Mapping[str, Any], *, later: bool) -> None:
    thinking = body.get("thinking") or {"type": "disabled"}
    kind = thinking["type"]
    heat = body.get("temperature")
    _need(heat is None or (isinstance(heat, int | float) and 0 <= heat <= 1), "temperature: range: 0..1")
    if later:
        _need(
            kind != "enabled", '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive"'
        )
        _need(not {"temperature", "top_p", "top_k"} & body.keys(), "`temperature` is deprecated for this model.")
    else:
        _need(kind != "adaptive", "adaptive thinking is not supported on this model")
        _need("effort" not in body.get("output_config", {}), "This model does not support the effort parameter.")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        _need(type(budget) is int and budget >= _LEAST_BUDGET, "thinking.enabled.budget_tokens: at least 1024")
        _need(budget < body["max_tokens"], "`max_tokens` must be greater than `thinking.budget_tokens`")
        _need(heat in (None, 1), "`temperature` may only be set to 1 when thinking is enabled")
    stops = body.get("stop_sequences", [])
    _need(all(stop.strip() for stop in stops), "stop_sequences: each stop sequence must contain non-whitespace")


def _tool(tool: Mapping[str, Any], at: str) -> None:
    if tool.get("type") not in (None, "custom"):
        return
    known = {"name", "description", "input_schema", "cache_control", "type", "strict", "input_examples"}
    _need(tool.keys() <= known, f"{at}.custom: Extra inputs are not permitted")
    _need(_NAME.fullmatch(tool.get("name", "")), f"{at}.custom.name: String should match pattern")
    _need(tool.get("input_schema", {}).get("type") == "object", f"{at}.custom.input_schema.type: Field required")


def _system(system: Any) -> None:
    if isinstance(system, list):
        for index, block in enumerate(system):
            _need(block.get("type") == "text", f"system.{index}: Input should be text")
            _block(block, "user", f"system.{index}")
        return
    _need(isinstance(system, str), "system: Input should be a valid list")


def _form(body: Mapping[str, Any]) -> None:
    form = (body.get("output_config") or {}).get("format")
    if form is None:
        return
    _need(form.get("type") == "json_schema" and form.keys() <= {"type", "schema"}, "output_config.format: no")
    schema = form["schema"]
    strict = schema.get("type") != "object" or schema.get("additionalProperties") is False
    _need(strict, "output_config.format.schema: 'additionalProperties' must be explicitly set to false")


def _turns(turns: Any, named: list[Any]) -> None:
    _need(isinstance(turns, list) and turns, "messages: at least one message is required")
    open_calls: set[str] = set()
    for index, turn in enumerate(turns):
        at = f"messages.{index}"
        _need(turn.keys() == {"role", "content"}, f"{at}: Extra inputs are not permitted")
        _need(turn["role"] in _BY, f'messages: Unexpected role "{turn["role"]}".')
        blocks = [{"type": "text", "text": turn["content"]}] if isinstance(turn["content"], str) else turn["content"]
        _need(blocks, f"{at}: all messages must have non-empty content")
        for number, block in enumerate(blocks):
            _block(block, turn["role"], f"{at}.content.{number}")
        answers = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        first = [block["type"] == "tool_result" for block in blocks[: len(answers)]]
        _need(all(first), f"{at}: `tool_result` blocks must come first")
        lost = open_calls - set(answers)
        _need(not lost, f"{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {lost}")
        _need(set(answers) <= open_calls, f"{at}: unexpected `tool_use_id` found in `tool_result` blocks")
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        _need(len(set(calls)) == len(calls), f"{at}: `tool_use` ids must be unique")
        _need(not (calls or answers) or named, "Requests which include `tool_use` or `tool_result` must define tools")
        open_calls = set(calls)
    last = turns[-1]
    if last["role"] == "assistant":
        text = last["content"] if isinstance(last["content"], str) else last["content"][-1].get("text", "x")
        _need(text == text.rstrip(), "messages: final assistant content cannot end with trailing whitespace")


def _block(block: Mapping[str, Any], role: str, at: str) -> None:
    kind = block.get("type")
    _need(kind in _BY[role], f"{at}: Input tag '{kind}' found using 'type' does not match")
    extra = block.keys() - _BLOCKS[str(kind)] - {"type", "cache_control"}
    _need(not extra, f"{at}.{kind}.{extra}: Extra inputs are not permitted")
    if kind == "text":
        _need(isinstance(block.get("text"), str) and block["text"], f"{at}: text content blocks must be non-empty")
    elif kind == "image":
        _picture(block.get("source", {}), at)
    elif kind == "tool_use":
        _need(_IDENT.fullmatch(block.get("id", "")), f"{at}.tool_use.id: String should match pattern")
        _need(isinstance(block.get("input"), dict), f"{at}.tool_use.input: Input should be a valid dictionary")
    elif kind == "thinking":
        _need(block.get("signature") == sign(block.get("thinking", "")), f"{at}: Invalid `signature`")
    elif kind == "tool_result":
        _need(_IDENT.fullmatch(block.get("tool_use_id", "")), f"{at}.tool_result.tool_use_id: should match pattern")
        inner = block.get("content", "")
        for number, each in enumerate(inner if isinstance(inner, list) else ()):
            _block(each, "user", f"{at}.content.{number}")
            _need("cache_control" not in each, "cache_control may not be specified within `tool_result.content`")


def _picture(source: Mapping[str, Any], at: str) -> None:
    if source.get("type") == "url":
        _need(source.keys() == {"type", "url"}, f"{at}.source: Extra inputs are not permitted")
        return
    _need(source.keys() == {"type", "media_type", "data"}, f"{at}.source: Field required")
    _need(source["media_type"] in _PICTURES, f"{at}.source.base64.media_type: Input should be one of {_PICTURES}")
    try:
        base64.b64decode(source["data"], validate=True)
    except binascii.Error as error:
        raise Bad(f"{at}.source.base64: invalid base64 data") from error
