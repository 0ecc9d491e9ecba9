"""Marks of where a prompt's cached beginning ends, taken out for those to whom they mean nothing: some refuse them."""

from collections.abc import Mapping
from typing import Any

from router.dialects.messages.parts import simple

_KNOWN = ("claude", "gemini", "qwen")
"""Makers of models whose callers mark what is cached; others cache by themselves."""


def kept(model: str) -> bool:
    """Whether a model's provider wants to know."""
    name = model.lower()
    return any(maker in name for maker in _KNOWN)


def without(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give a neutral request without them."""
    found = {**body, "messages": [_message(message) for message in body["messages"]]}
    if isinstance(body.get("tools"), list):
        found["tools"] = [_bare(tool) for tool in body["tools"]]
    return found


def _message(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": simple([_bare(part) for part in content])}


def _bare(value: dict[str, Any]) -> dict[str, Any]:
    return (
        {name: each for name, each in value.items() if name != "cache_control"} if "cache_control" in value else value
    )
