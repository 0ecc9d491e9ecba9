"""How one server's answers differ from OpenAI's own on the wire."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

FAILED = {"message": "the model fell over", "type": "server_error", "code": None}


@dataclass(frozen=True)
class Style:
    """What stands where. The default is that of many: OpenAI's form, and DeepSeek's word for what was thought.

    `fields` are in every answer and event, `choice` in every choice, `last` in an answer and a stream's last event but
    the usage, `usage` in the usage. `comments` come before a stream. Tool calls come in pieces of `arguments`
    characters of their arguments, 0 for whole. `limits` are the words that it knows for an answer's most tokens.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    choice: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[str, Any] = field(default_factory=dict)
    usage: Mapping[str, Any] = field(default_factory=dict)
    comments: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ("reasoning_content",)
    arguments: int = 0
    limits: tuple[str, ...] = ("max_tokens", "max_completion_tokens")
    cached: bool = True
    reasoned: bool = True
    no_content: str | None = None
    error_chunk: bool = False

    def thought(self, text: str) -> dict[str, Any]:
        """Give what was thought as a message or a delta has it."""
        return dict.fromkeys(self.reasoning, text) if text else {}

    def details(self, cached: int, reasoned: int) -> dict[str, Any]:
        """Give the parts of the usage that it tells."""
        parts: dict[str, Any] = {}
        if self.cached:
            parts["prompt_tokens_details"] = {"cached_tokens": cached}
        if self.reasoned:
            parts["completion_tokens_details"] = {"reasoning_tokens": reasoned}
        return parts

    def pieces(self, call: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Cut a tool call as its stream has it."""
        function = call["function"]
        text = function["arguments"]
        if not self.arguments:
            yield dict(call)
            return
        yield {**call, "function": {**function, "arguments": ""}}
        for start in range(0, len(text), self.arguments):
            yield {"index": call["index"], "function": {"arguments": text[start : start + self.arguments]}}

    def failed(self, chunk: Mapping[str, Any]) -> dict[str, Any]:
        """Give the event of an error: alone, or in an event that ends the choice."""
        return {**chunk, "error": FAILED} if self.error_chunk else {"error": FAILED}


PLAIN = Style()
