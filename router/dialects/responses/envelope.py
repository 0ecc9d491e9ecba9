"""The response object around what a model said: what was asked, read back, with what became of it."""

import time
import uuid
from collections.abc import Mapping
from typing import Any

from router.ask import Ask

_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "user": None,
}
_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


class Envelope:
    """Makes one response's objects. `mark` makes its ids, and those of its items, one of a kind."""

    def __init__(self, ask: Ask, mark: str = "", created: int = 0) -> None:
        self._mark = mark or uuid.uuid4().hex
        self._asked = ask.native or {}
        self._created = created or int(time.time())
        self.model = ask.model
        self.summarised = bool((self._asked.get("reasoning") or {}).get("summary"))
        """Whether thoughts were asked for as a summary, which is then where they are looked for."""

    def ident(self, prefix: str, index: int) -> str:
        """Make an item's id."""
        return f"{prefix}_{self._mark}{index:04x}"

    def begun(self) -> dict[str, Any]:
        """Give the response before there is anything of it."""
        return self._response("in_progress", [], None)

    def ended(self, finish: object, output: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
        """Give the response whole; `finish` is chat's word for why it ended."""
        reason = _REASONS.get(finish) if isinstance(finish, str) else None
        response = self._response("incomplete" if reason else "completed", output, usage)
        if reason:
            response["incomplete_details"] = {"reason": reason}
        return response

    def _response(self, status: str, output: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
        asked = self._asked
        echoed = {name: value if asked.get(name) is None else asked[name] for name, value in _ECHOED.items()}
        reasoning = asked.get("reasoning") or {}
        return {
            "id": f"resp_{self._mark}",
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": self.model,
            "output": output,
            "previous_response_id": None,
            "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
            "store": False,
            "text": {"format": {"type": "text"}} | (asked.get("text") or {}),
            "truncation": "disabled",
            "usage": usage,
            **echoed,
        }
