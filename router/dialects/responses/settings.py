"""What a request says besides its conversation and its tools: this form's words for it, and chat's."""

from collections.abc import Mapping
from typing import Any

from router.ask import LIMITS
from router.refusal import bad_request

LIMIT = "max_output_tokens"

_ALIKE = (
    "temperature", "top_p", "user", "parallel_tool_calls", "service_tier", "safety_identifier", "prompt_cache_key",
    "prompt_cache_retention",
)  # fmt: skip
_READ = (
    *_ALIKE, LIMIT, "text", "reasoning", "include", "top_logprobs", "model", "input", "instructions", "tools",
    "tool_choice", "stream", "stream_options", "store", "metadata", "truncation", "max_tool_calls", "background",
    "previous_response_id", "conversation", "prompt", "context_management",
)  # fmt: skip
_CHATS = {
    "messages": "input",
    "max_tokens": LIMIT,
    "max_completion_tokens": LIMIT,
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
    "functions": "tools",
    "function_call": "tool_choice",
    "n": "one request each",
    "logprobs": "include: [message.output_text.logprobs]",
}
_LOGPROBS = "message.output_text.logprobs"
_THOUGHTS = "reasoning.encrypted_content"
_SCHEMA = ("name", "description", "schema", "strict")


def read(body: Mapping[str, Any]) -> dict[str, Any]:
    """Read the settings; those that nobody knows are passed on as they are. Raises Refusal (400)."""
    for name, word in _CHATS.items():
        if name in body:
            raise bad_request(f"{name} is a word of chat completions; here it is {word}", name)
    found = {name: value for name, value in body.items() if name not in _READ and value is not None}
    found |= {name: body[name] for name in _ALIKE if body.get(name) is not None}
    if body.get(LIMIT) is not None:
        found[LIMITS[1]] = _limit(body[LIMIT])
    text = _object(body, "text")
    if text.get("verbosity") is not None:
        found["verbosity"] = text["verbosity"]
    if text.get("format") is not None:
        found |= _format(text["format"])
    if _object(body, "reasoning").get("effort") is not None:
        found["reasoning_effort"] = body["reasoning"]["effort"]
    if _LOGPROBS in _include(body):
        found["logprobs"] = True
        if body.get("top_logprobs") is not None:
            found["top_logprobs"] = body["top_logprobs"]
    return found


def _limit(value: object) -> int:
    if type(value) is not int or value < 1:
        raise bad_request(f"{LIMIT} must be a whole number above 0", LIMIT)
    return value


def _object(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict | None):
        raise bad_request(f"{name} must be an object", name)
    return value or {}


def _include(body: Mapping[str, Any]) -> list[Any]:
    value = body.get("include")
    if not isinstance(value, list | None):
        raise bad_request("include must be a list", "include")
    return value or []


def _format(given: object) -> dict[str, Any]:
    kind = given.get("type") if isinstance(given, dict) else None
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"response_format": {"type": kind}}
    if not isinstance(given, dict) or kind != "json_schema" or not isinstance(given.get("schema"), dict):
        message = "text.format must be of type text, json_object, or json_schema with a name and a schema"
        raise bad_request(message, "text.format")
    schema = {"name": "answer"} | {name: given[name] for name in _SCHEMA if given.get(name) is not None}
    return {"response_format": {"type": kind, kind: schema}}


_REFUSED = {
    "stop": "no words at which it stops",
    "logit_bias": "no bias of single tokens",
    "prediction": "no predicted output",
    "audio": "no audio as an answer",
    "web_search_options": "no search at the provider",
    "functions": "tools instead of functions",
    "function_call": "tool_choice instead of function_call",
}
_PENALTIES = ("frequency_penalty", "presence_penalty")
_WRITTEN = (
    *_ALIKE, *LIMITS, *_REFUSED, *_PENALTIES, "model", "messages", "tools", "tool_choice", "stream", "stream_options",
    "n", "seed", "verbosity", "response_format", "reasoning_effort", "logprobs", "top_logprobs", "modalities",
)  # fmt: skip


def write(body: Mapping[str, Any]) -> dict[str, Any]:
    """Write chat's settings in this form; nothing is stored at the provider that the caller did not ask to store.

    `seed` is left out: it was never more than an attempt. Raises Refusal (400) for what this form cannot say.
    """
    _check(body)
    found = {name: value for name, value in body.items() if name not in _WRITTEN and value is not None}
    found |= {name: body[name] for name in _ALIKE if body.get(name) is not None}
    found.setdefault("store", False)
    limits = [body[name] for name in LIMITS if body.get(name) is not None]
    if limits:
        found[LIMIT] = limits[0]
    text = {"verbosity": body["verbosity"]} if body.get("verbosity") is not None else {}
    if body.get("response_format") is not None:
        text["format"] = _written_format(body["response_format"])
    if text:
        found["text"] = text
    include: list[str] = []
    if body.get("reasoning_effort") is not None:
        found["reasoning"] = {"effort": body["reasoning_effort"]}
        if body["reasoning_effort"] != "none" and not found["store"]:
            include.append(_THOUGHTS)  # else they would be lost between two rounds of tools
    if body.get("logprobs"):
        include.append(_LOGPROBS)
        if body.get("top_logprobs") is not None:
            found["top_logprobs"] = body["top_logprobs"]
    return found | ({"include": include} if include else {})


def _check(body: Mapping[str, Any]) -> None:
    for name, why in _REFUSED.items():
        if body.get(name):
            raise bad_request(f"this model's provider speaks the Responses API, which has {why}", name)
    for name in _PENALTIES:
        if body.get(name):
            raise bad_request("this model's provider speaks the Responses API, which has no penalties", name)
    if body.get("n") not in (None, 1):
        raise bad_request("this model's provider speaks the Responses API, which gives one answer a call", "n")
    if isinstance(body.get("modalities"), list) and "audio" in body["modalities"]:
        raise bad_request("this model's provider speaks the Responses API, which answers in text", "modalities")


def _written_format(given: object) -> dict[str, Any]:
    kind = given.get("type") if isinstance(given, dict) else None
    if kind in ("text", "json_object"):
        return {"type": kind}
    inner = given.get("json_schema") if isinstance(given, dict) and kind == "json_schema" else None
    if not isinstance(inner, dict):
        message = "response_format must be of type text, json_object, or json_schema with a name and a schema"
        raise bad_request(message, "response_format")
    return {"type": kind} | {name: inner[name] for name in _SCHEMA if inner.get(name) is not None}
