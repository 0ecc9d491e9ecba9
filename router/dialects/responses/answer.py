"""A whole answer: a chat completion made a response, and a response made a chat completion."""

from collections.abc import Mapping
from typing import Any

from router.ask import Ask
from router.dialects.responses import output, usage
from router.dialects.responses.envelope import Envelope
from router.refusal import Refusal, provider_error

_MOST_SAID = 600
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}


def write(ask: Ask, neutral: Mapping[str, Any]) -> dict[str, Any]:
    """Write a chat completion as a response. Raises Refusal (502) for one that has no answer in it."""
    choices = neutral.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise provider_error("the provider answered 200 without an answer")
    envelope = Envelope(ask)
    if isinstance(neutral.get("model"), str):
        envelope.model = neutral["model"]
    made = output.items(envelope, message, logprobs(choice))
    return envelope.ended(choice.get("finish_reason"), made, usage.write(neutral.get("usage")))


def logprobs(choice: Mapping[str, Any]) -> list[Any]:
    """Give the log probabilities of a choice's tokens, which are alike in both forms."""
    given = choice.get("logprobs")
    content = given.get("content") if isinstance(given, dict) else None
    return content if isinstance(content, list) else []


def read(response: Mapping[str, Any]) -> dict[str, Any]:
    """Read a response into a chat completion. Raises Refusal (502) for one that failed or is none."""
    found = response.get("output")
    status = response.get("status", "completed")
    if status not in ("completed", "incomplete"):
        raise failed(response)
    if not isinstance(found, list):
        raise provider_error("the provider answered 200 with something that is no response")
    message = output.read(found)
    choice = {"index": 0, "message": message, "finish_reason": finish(response, calls=bool(message.get("tool_calls")))}
    if probabilities := _logprobs(found):
        choice["logprobs"] = {"content": probabilities, "refusal": None}
    completion = {
        "id": str(response.get("id") or ""),
        "object": "chat.completion",
        "created": created(response),
        "model": str(response.get("model") or ""),
        "choices": [choice],
    }
    if isinstance(response.get("service_tier"), str):
        completion["service_tier"] = response["service_tier"]
    counted = usage.neutral(response)
    return completion | ({"usage": counted} if counted else {})


def finish(response: Mapping[str, Any], *, calls: bool) -> str:
    """Give chat's word for why a response ended."""
    if response.get("status") == "incomplete":
        details = response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, Mapping) else None
        return _REASONS.get(str(reason), "length")
    return "tool_calls" if calls else "stop"


def created(response: Mapping[str, Any]) -> int:
    """Give when it was made, in whole seconds since 1970; 0 where it does not say."""
    value = response.get("created_at")
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1 << 40 else 0


def failed(response: Mapping[str, Any]) -> Refusal:
    """Make the refusal for a response that came to nothing."""
    error = response.get("error")
    message = error.get("message") if isinstance(error, Mapping) else None
    return provider_error(f"the provider failed: {str(message or response.get('status'))[:_MOST_SAID]}")


def _logprobs(found: list[Any]) -> list[Any]:
    parts = [
        part
        for item in found
        if isinstance(item, dict) and isinstance(item.get("content"), list)
        for part in item["content"]
        if isinstance(part, dict) and isinstance(part.get("logprobs"), list)
    ]
    return [each for part in parts for each in part["logprobs"]]
