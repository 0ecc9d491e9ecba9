"""vLLM's `/health`, `/version` and `/tokenize`, and its way of answering."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.provider import Asked, FakeProvider, Reply
from tests.fakes.provider.style import Style

STYLE = Style(
    choice={"logprobs": None, "stop_reason": None},
    last={"kv_transfer_params": None},
    reasoning=("reasoning", "reasoning_content"),
    arguments=5,
    reasoned=False,
)


@dataclass
class FakeVLLM(FakeProvider):
    """Serves a model and an adapter for it. `dead`: its engine does not run."""

    models: tuple[str, ...] = ("Qwen/Qwen3-8B", "sql-adapter", "intfloat/e5-embed")
    style: Style = STYLE
    context: int = 32_768
    dead: bool = False

    def rows(self) -> list[dict[str, Any]]:
        """Give its list; an adapter names the model that it is for, and has no context of its own."""
        head = {"object": "model", "created": 1, "owned_by": "vllm", "parent": None, "max_model_len": self.context}
        adapter = {"parent": self.models[0], "max_model_len": None}
        return [{"id": name, "root": name, **head, **(adapter if "adapter" in name else {})} for name in self.models]

    def own(self, asked: Asked) -> tuple[int, Any] | None:
        """Answer its own questions."""
        if asked.path == "/health":
            return (503 if self.dead else 200), {}
        if asked.path == "/version":
            return 200, {"version": "0.11.0"}
        if asked.path == "/tokenize":
            count = len(json.dumps(asked.body["messages"]).split())
            return 200, {"count": count, "max_model_len": self.context, "tokens": list(range(count))}
        return None

    def refuse(self, request: Mapping[str, Any]) -> Reply | None:
        """Refuse as vLLM does: what is longer than the context."""
        if super().refuse(request) is None:
            return None
        message = f"This model's maximum context length is {self.context} tokens. However, your request has 40000"
        return Reply(status=400, error={"message": message, "type": "BadRequestError", "param": None, "code": 400})
