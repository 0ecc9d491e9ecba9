"""What a request says besides its conversation and its tools: this form's words for it, and chat's."""

import hashlib
from collections.abc import Mapping
from typing import Any

from router.ask import LIMITS
from router.dialects.messages import dear, effort
from router.dialects.messages.reach import Reach
from router.dialects.messages.shape import part
from router.refusal import bad_request

LIMIT = "max_tokens"
DEFAULT_LIMIT = 4096
"""The answer's tokens where a caller of another form names no bound: this form wants one."""

_USER_LENGTH = 64  # OpenAI takes no longer one
_ALIKE = ("temperature", "top_p", "stream")
_ONLY = ("container",)
_READ = (
    *_ALIKE, *_ONLY, LIMIT, "model", "messages", "system", "tools", "tool_choice", "stop_sequences", "thinking",
    "output_config", "output_format", "metadata", "mcp_servers",
)  # fmt: skip
_ADVICE = (
    "service_tier", "inference_geo", "speed", "diagnostics", "cache_control", "context_management", "user_profile_id",
    "workspace_id",
)  # fmt: skip
"""What changes how the provider does its work, and not what is asked: others need not be told."""


def read(body: Mapping[str, Any], reach: Reach) -> dict[str, Any]:
    """Read the settings; those that nobody knows are passed on as they are. Raises Refusal (400)."""
    dear.check(body)
    for name in _ONLY:
        if body.get(name):
            reach.only(name, name)
    known = (*_READ, *_ADVICE)
    found = {name: value for name, value in body.items() if name not in known and value is not None}
    found |= {name: body[name] for name in _ALIKE if body.get(name) is not None}
    if body.get(LIMIT) is not None:
        found[LIMITS[1]] = max(body[LIMIT], 1)  # 0 fills a cache, of which others know nothing
    found |= effort.read(body) | _schema(body)
    stops = body.get("stop_sequences")
    if stops is not None and not (isinstance(stops, list) and all(isinstance(stop, str) for stop in stops)):
        raise bad_request("stop_sequences: must be a list of texts", "stop_sequences")
    if stops:
        found["stop"] = stops
    user = part(body, "metadata").get("user_id")
    if isinstance(user, str) and user:
        found["user"] = user if len(user) <= _USER_LENGTH else hashlib.sha256(user.encode()).hexdigest()
    return found


def _schema(body: Mapping[str, Any]) -> dict[str, Any]:
    given = part(body, "output_config").get("format") or body.get("output_format")
    if given is None:
        return {}
    if part({"it": given}, "it").get("type") != "json_schema" or not isinstance(given.get("schema"), dict):
        raise bad_request("output_config.format: must be of type json_schema, with a schema", "output_config.format")
    named = {"name": "answer", "schema": given["schema"], "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


_REFUSED = {
    "logit_bias": "no bias of single tokens",
    "logprobs": "no probabilities of tokens",
    "audio": "no audio as an answer",
    "web_search_options": "a tool for searching the web instead",
    "functions": "tools instead of functions",
    "function_call": "tool_choice instead of function_call",
    "frequency_penalty": "no penalties",
    "presence_penalty": "no penalties",
}
_LEFT_OUT = (
    "seed", "store", "service_tier", "prompt_cache_key", "prompt_cache_retention", "verbosity", "prediction",
    "top_logprobs", "modalities",
)  # fmt: skip
"""Hints, which this form has no word for."""

_WRITTEN = (
    *_ALIKE, *LIMITS, *_REFUSED, *_LEFT_OUT, "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "stop",
    "stream_options", "n", "user", "safety_identifier", "metadata", "response_format", "reasoning_effort", "top_k",
    "mcp_servers",
)  # fmt: skip

_ANY_JSON = "Answer with one JSON object, and with nothing before or after it."


def write(body: Mapping[str, Any], model: str, *, forced: bool) -> dict[str, Any]:
    """Write chat's settings in this form; `forced`: a tool must be called. Raises Refusal (400)."""
    dear.check(body)
    _check(body)
    most = next((body[name] for name in LIMITS if body.get(name) is not None), DEFAULT_LIMIT)
    if type(most) is not int or most < 1:
        raise bad_request(f"{LIMITS[1]} must be a whole number above 0", LIMITS[1])
    found = {name: value for name, value in body.items() if name not in _WRITTEN and value is not None}
    written = {LIMIT: most, **effort.write(body.get("reasoning_effort"), model, most, forced=forced)} | found
    if body.get("stream"):
        written["stream"] = True
    thinks = part(written, "thinking").get("type") not in (None, "disabled")
    if effort.samples(model) and not thinks:
        written |= {name: body[name] for name in effort.SAMPLING if body.get(name) is not None}
        if isinstance(written.get("temperature"), int | float):
            written["temperature"] = min(written["temperature"], 1)
    if stops := _stops(body.get("stop")):
        written["stop_sequences"] = stops
    user = body.get("user") or body.get("safety_identifier")
    if isinstance(user, str):
        written["metadata"] = {"user_id": user}
    return _formatted(body.get("response_format"), written)


def said(body: Mapping[str, Any]) -> list[str]:
    """Give what the system is told for settings that have no word: an answer in any JSON."""
    return [_ANY_JSON] if part(body, "response_format").get("type") == "json_object" else []


def _check(body: Mapping[str, Any]) -> None:
    for name, why in _REFUSED.items():
        if body.get(name):
            raise bad_request(f"this model's provider speaks Anthropic's Messages API, which has {why}", name)
    if body.get("n") not in (None, 1):
        raise bad_request("this model's provider speaks Anthropic's Messages API, which gives one answer a call", "n")
    if "audio" in (body.get("modalities") or ()):
        raise bad_request("this model's provider speaks Anthropic's Messages API, which answers in text", "modalities")


def _stops(given: object) -> list[str]:
    """Give the words at which it stops; those of nothing but white space, this form refuses."""
    stops = [given] if isinstance(given, str) else given
    if stops is None:
        return []
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise bad_request("stop must be a text or a list of texts", "stop")
    return [stop for stop in stops if stop.strip()]


def _formatted(given: object, written: dict[str, Any]) -> dict[str, Any]:
    kind = given.get("type") if isinstance(given, dict) else None
    if given is None or kind in ("text", "json_object"):
        return written
    schema = part(given, "json_schema").get("schema")
    if kind != "json_schema" or not isinstance(schema, dict):
        message = "response_format must be of type text, json_object, or json_schema with a name and a schema"
        raise bad_request(message, "response_format")
    config = {**part(written, "output_config"), "format": {"type": "json_schema", "schema": schema}}
    return {**written, "output_config": config}
