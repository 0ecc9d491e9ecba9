"""What a run is asked to do, parsed once from the worker's first frame."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from workers.runtimes.builtin.failure import RunFailed
from workers.runtimes.builtin.wire import Deadlines

CONTEXT_TOKENS = 131_072
"""Taken where the model's context is not known; a model with less says so, and the history is cut then."""


@dataclass(frozen=True)
class Tool:
    """A tool on offer; `parameters` is the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """The `run` frame, whole."""

    input: str
    history: tuple[dict[str, Any], ...]
    soul: str
    tools: tuple[Tool, ...]
    model: str
    embedding_model: str
    context_tokens: int
    by_embedding: bool
    demonstration: bool
    max_rounds: int
    max_output_tokens: int
    agent: str
    base_url: str
    deadlines: Deadlines

    @classmethod
    def parse(cls, frame: Mapping[str, Any]) -> "Task":
        """Read the first frame. Raises RunFailed INTERNAL naming the field: the worker is at fault, not the user."""
        if frame.get("type") != "run":
            raise RunFailed("INTERNAL", f"The runtime expected a run frame first and got {frame.get('type')!r}.")
        try:
            profile, limits = frame["profile"], frame["limits"]
            return cls(
                input=str(frame["input"]),
                history=tuple(message for message in frame.get("history", ()) if message.get("role") != "system"),
                soul=str(frame.get("soul", "")),
                tools=tuple(tool(item) for item in frame.get("tools", ())),
                model=str(frame["model"]),
                embedding_model=str(frame.get("embedding_model", "")),
                context_tokens=int(profile.get("context_tokens") or CONTEXT_TOKENS),
                by_embedding=profile.get("tool_choice") == "embedding",
                demonstration=bool(profile.get("demonstration")),
                max_rounds=max(int(limits.get("max_rounds") or 24), 1),
                max_output_tokens=max(int(limits.get("max_output_tokens") or 1024), 1),
                agent=str(frame.get("agent", "assistant")).removeprefix("agents/"),
                base_url=str(frame["base_url"]),
                deadlines=deadlines(limits),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunFailed("INTERNAL", f"The run frame is bad: {type(error).__name__} {error}.") from error


def tool(item: Mapping[str, Any]) -> Tool:
    """Read one tool."""
    return Tool(str(item["name"]), str(item["description"]), dict(item["parameters"]), tuple(item.get("examples", ())))


def deadlines(limits: Mapping[str, Any]) -> Deadlines:
    """Read `connect_seconds`, `first_byte_seconds`, `idle_seconds` and `call_seconds`, each optional."""
    given = {f.name: limits.get(f"{f.name}_seconds") for f in fields(Deadlines)}
    return Deadlines(**{name: float(seconds) for name, seconds in given.items() if seconds})
