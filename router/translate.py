"""An upstream's refusal, put into the door's own words. Pure."""

import json

from router.refusal import Refusal, bad_request, provider_error, provider_timeout, provider_unavailable
from router.wire import Fault

_QUOTED = 600  # characters of an upstream's message that are passed on
_CONTEXT = (
    "context_length_exceeded",
    "exceed_context_size_error",
    "maximum context length",
    "context size",
    "context window",
    "context length of only",
    "prompt is too long",
    "exceed context limit",
)
"""What OpenAI, llama.cpp, vLLM and OpenRouter, LM Studio and Anthropic call a request that is too long."""


def from_status(provider: str, status: int, body: bytes, retry_after: str = "") -> Refusal:
    """Give the refusal for an answer that is no 200. What it said is quoted: nothing secret may be in it."""
    said, code = _said(body)
    quoted = f": {said}" if said else ""
    if status in (401, 403):
        return provider_error(f"provider {provider} refused the key that is kept for it ({status}){quoted}")
    if status == 429:  # noqa: PLR2004 - HTTP's Too Many Requests
        wait = int(retry_after) if retry_after.isdecimal() else 5
        message = f"provider {provider} takes no more calls now (429){quoted}"
        return Refusal(429, "rate_limit_exceeded", message, retry_after_seconds=min(wait, 3600))
    if status in (400, 413, 422):
        if any(mark in f"{code} {said}".lower() for mark in _CONTEXT):
            return Refusal(400, "context_length_exceeded", said or "the request is longer than the model's context")
        return bad_request(f"provider {provider} refused the request ({status}){quoted}")
    if status == 404:  # noqa: PLR2004 - HTTP's Not Found
        return Refusal(404, "model_not_found", f"provider {provider} does not know this model (404){quoted}", "model")
    if status in (408, 504):
        return provider_timeout(f"provider {provider} took too long ({status}){quoted}")
    if status in (503, 529):  # the other is Anthropic's for being overloaded
        return provider_unavailable(f"provider {provider} is not available ({status}){quoted}")
    return provider_error(f"provider {provider} answered {status}{quoted}")


def from_fault(provider: str, fault: Fault, said: str) -> Refusal:
    """Give the refusal for a provider that could not be reached or broke off; `said` is quoted."""
    message = f"provider {provider}: {said}"
    if fault is Fault.UNREACHABLE:
        return provider_unavailable(message)
    return provider_timeout(message) if fault is Fault.TIMEOUT else provider_error(message)


def told(event: bytes) -> str:
    """Give what an event of a stream that tells of an error says, with a colon before it; "" for nothing."""
    said, _ = _said(event.partition(b"data:")[2])
    return f": {said}" if said else ""


def _said(body: bytes) -> tuple[str, str]:
    """Give an error's message and code as far as there are any; what is no JSON is not quoted."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    error = value.get("error", value) if isinstance(value, dict) else None
    if isinstance(error, str):
        return error[:_QUOTED], ""
    if not isinstance(error, dict):
        return "", ""
    message = error.get("message") or error.get("detail") or ""
    return str(message)[:_QUOTED], f"{error.get('code') or ''} {error.get('type') or ''}"
