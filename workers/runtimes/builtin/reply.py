"""What a model answered, put together from the pieces of a stream."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workers.runtimes.builtin.failure import RunFailed

TEXT_CHARS = 1024 * 1024
"""Most characters of one answer's text, its reasoning, and its tool calls' arguments."""


@dataclass
class Call:
    """A tool call as the model wrote it; `arguments` is JSON text, or meant to be."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass
class Reply:
    """One answer. `finish` is the model's reason to stop, empty while it has not."""

    text: list[str] = field(default_factory=list)
    calls: dict[int, Call] = field(default_factory=dict)
    finish: str = ""
    done: bool = False
    prompt_tokens: int = 0
    chars: int = 0

    def content(self) -> str:
        """Return the text."""
        return "".join(self.text)

    def whole(self) -> bool:
        """Whether the model came to its end."""
        return bool(self.finish) or self.done

    def add(self, event: dict[str, Any], on_text: Callable[[str], None], on_reasoning: Callable[[str], None]) -> None:
        """Take one chunk, a stream's or a whole answer's. Raises RunFailed for a shape that no model should send."""
        usage = event.get("usage")
        if isinstance(usage, dict) and isinstance(usage.get("prompt_tokens"), int):
            self.prompt_tokens = usage["prompt_tokens"]
        for choice in listed(event.get("choices"), "choices")[:1]:
            delta = choice.get("delta", choice.get("message")) or {}
            if not isinstance(delta, dict):
                raise strange("delta", delta)
            self._reasoning(delta, on_reasoning)
            for key in ("content", "refusal"):
                piece = plain(delta.get(key))
                if piece:
                    self._count(len(piece))
                    self.text.append(piece)
                    on_text(piece)
            for position, call in enumerate(listed(delta.get("tool_calls"), "tool_calls")):
                self._call(position, call)
            self.finish = choice.get("finish_reason") or self.finish

    def _reasoning(self, delta: dict[str, Any], on_reasoning: Callable[[str], None]) -> None:
        piece = plain(delta.get("reasoning_content")) or plain(delta.get("reasoning"))
        self._count(len(piece))
        on_reasoning(piece)

    def _call(self, position: int, piece: dict[str, Any]) -> None:
        index = piece.get("index")
        call = self.calls.setdefault(index if isinstance(index, int) else position, Call())
        function = piece.get("function") or {}
        if not isinstance(function, dict):
            raise strange("function", function)
        call.id = call.id or plain(piece.get("id"))
        call.name = call.name or plain(function.get("name"))
        arguments = plain(function.get("arguments"))
        self._count(len(arguments))
        call.arguments += arguments

    def _count(self, chars: int) -> None:
        self.chars += chars
        if self.chars > TEXT_CHARS:
            raise RunFailed(
                "MODEL_ERROR", f"The model's answer passed {TEXT_CHARS >> 20} Mi characters and was cut off."
            )


def plain(value: object) -> str:
    """Return a string, or the text parts of a content list; empty for anything else."""
    if isinstance(value, list):
        return "".join(part["text"] for part in value if isinstance(part, dict) and isinstance(part.get("text"), str))
    return value if isinstance(value, str) else ""


def listed(value: object, name: str) -> list[dict[str, Any]]:
    """Return a list of objects, empty for null."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise strange(name, value)
    return value


def strange(name: str, value: object) -> RunFailed:
    """Say that a field has a shape that it must not have."""
    return RunFailed("MODEL_ERROR", f"The model sent an answer whose {name} is {str(value)[:80]!r}.")
