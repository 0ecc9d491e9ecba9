"""The runtime as a real process against a real, scripted model server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.inside import Inside, inside
from tests.fakes.model_script import ModelScript, model_script

READ = {
    "name": "read_file",
    "description": "Read a file.",
    "parameters": {
        "type": "object",
        "properties": {"path": {"type": "string"}, "limit": {"type": "integer", "minimum": 1}},
        "required": ["path"],
        "additionalProperties": False,
    },
    "examples": ["show notes.txt"],
}
RUN: dict[str, Any] = {
    "type": "run",
    "input": "Say hello",
    "history": [],
    "soul": "You are plain.",
    "tools": [READ],
    "model": "openai/test",
    "embedding_model": "embedded/e5",
    "profile": {"context_tokens": 8192, "tool_choice": "native", "demonstration": False},
    "limits": {"max_rounds": 6, "max_output_tokens": 512},
    "agent": "assistant",
}
Tool = Callable[[dict[str, Any]], tuple[str, bool]]


def echo(call: dict[str, Any]) -> tuple[str, bool]:
    """Answer a call with its path."""
    return f"read {call['arguments']['path']}", False


@dataclass
class Told:
    """All that the runtime said in a run."""

    frames: list[dict[str, Any]] = field(default_factory=list)

    def kinds(self) -> list[str]:
        """Return the types of the frames."""
        return [frame["type"] for frame in self.frames]

    def text(self, kind: str = "text") -> str:
        """Return the text, joined."""
        return "".join(frame["text"] for frame in self.frames if frame["type"] == kind)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the frames of a type."""
        return [frame for frame in self.frames if frame["type"] == kind]

    def notices(self) -> list[str]:
        """Return the codes of the notices."""
        return [frame["code"] for frame in self.of("notice")]

    def last(self) -> dict[str, Any]:
        """Return the last frame."""
        return self.frames[-1]


Run = Callable[..., Awaitable[Told]]


@pytest.fixture
async def model() -> AsyncIterator[ModelScript]:
    async with model_script() as script:
        yield script


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[Inside]:
    async with inside("workers.runtimes.builtin.main", tmp_path) as process:
        yield process


@pytest.fixture
def run(model: ModelScript, runtime: Inside) -> Run:
    """Do a whole run: `changes` to the run frame, and what each tool call gives."""

    async def whole(tool: Tool = echo, **changes: Any) -> Told:
        await runtime.send({**RUN, "base_url": model.base_url, **changes})
        told = Told()
        while (frame := await runtime.read()) is not None:
            told.frames.append(frame)
            if frame["type"] == "tool_call":
                content, is_error = tool(frame)
                await runtime.send({"type": "tool_result", "id": frame["id"], "content": content, "is_error": is_error})
        assert await runtime.ended() == 0, await runtime.errors()
        return told

    return whole
