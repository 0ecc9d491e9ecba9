"""Why an answer ended: `stop_reason` to chat's `finish_reason`, and back."""

from collections.abc import Mapping
from typing import Any

from router.dialects.messages.shape import part

_FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


def read(said: Mapping[str, Any]) -> dict[str, Any]:
    """Read the end of an answer into fields of a choice; what chat has no word for is beside it as it was."""
    reason = said.get("stop_reason")
    if not isinstance(reason, str):
        return {"finish_reason": None}
    found: dict[str, Any] = {"finish_reason": _FINISHES.get(reason, "stop"), "native_finish_reason": reason}
    if isinstance(said.get("stop_sequence"), str):
        found["stop_reason"] = said["stop_sequence"]  # vLLM's word for it
    return found


def explained(said: Mapping[str, Any]) -> str:
    """Give what the provider says of why the model did not go on; empty where it says nothing."""
    details = part(said, "stop_details")
    found = details.get("explanation") if details.get("type") == "refusal" else None
    return found if isinstance(found, str) else ""


def write(choice: Mapping[str, Any], *, calls: bool, refusal: str) -> dict[str, Any]:
    """Write the end of a neutral choice: `calls` tools, or its `refusal`; some servers say `stop` with both."""
    finish, matched = choice.get("finish_reason"), choice.get("stop_reason")
    native = choice.get("native_finish_reason")
    reason = _REASONS.get(finish, "end_turn") if isinstance(finish, str) else "end_turn"
    if reason == "end_turn" and calls:
        reason = "tool_use"
    elif refusal:
        reason = "refusal"
    elif isinstance(native, str) and _FINISHES.get(native) == finish:
        reason = native
    if reason == "end_turn" and isinstance(matched, str):
        reason = "stop_sequence"
    found: dict[str, Any] = {"stop_reason": reason, "stop_sequence": matched if reason == "stop_sequence" else None}
    if refusal:
        found["stop_details"] = {"type": "refusal", "category": None, "explanation": refusal}
    return found
