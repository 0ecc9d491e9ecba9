"""OpenRouter's list of models, and its way of answering."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.fakes.provider import FakeProvider, Reply
from tests.fakes.provider.style import Style

STYLE = Style(
    fields={"provider": "DeepInfra"},
    choice={"native_finish_reason": "stop", "logprobs": None},
    comments=("OPENROUTER PROCESSING", "OPENROUTER PROCESSING"),
    reasoning=("reasoning",),
    arguments=6,
    error_chunk=True,
)
COST = {"cost": 0.0000143, "is_byok": False, "cost_details": {"upstream_inference_cost": None}}
TEXT: Mapping[str, Any] = {"input_modalities": ["text"], "output_modalities": ["text"], "tokenizer": "Llama3"}
ROWS: tuple[Mapping[str, Any], ...] = (
    {"id": "qwen/qwen3-vl", "context_length": 131_072,
     "architecture": {**TEXT, "input_modalities": ["text", "image"]},
     "pricing": {"prompt": "0.0000002", "completion": "0.0000006", "request": "0", "input_cache_read": "0.00000005"},
     "top_provider": {"context_length": 131_072, "max_completion_tokens": 8192},
     "supported_parameters": ["tools", "tool_choice", "structured_outputs", "response_format", "reasoning",
                              "include_reasoning", "max_tokens"]},
    {"id": "meta/llama-3-8b:free", "context_length": 8192, "architecture": TEXT,
     "pricing": {"prompt": "0", "completion": "0"}, "supported_parameters": ["max_tokens", "temperature"]},
    {"id": "openrouter/auto", "context_length": 2_000_000, "architecture": TEXT,
     "pricing": {"prompt": "-1", "completion": "-1"}, "supported_parameters": ["tools"]},
)  # fmt: skip


@dataclass
class FakeOpenRouter(FakeProvider):
    """Offers the models of ROWS. It tells costs to those who ask for them."""

    models: tuple[str, ...] = tuple(str(row["id"]) for row in ROWS)
    style: Style = STYLE

    def rows(self) -> list[dict[str, Any]]:
        """Give its list, which says everything."""
        return [{"name": row["id"], "created": 1, **row} for row in ROWS]

    def refuse(self, request: Mapping[str, Any]) -> Reply | None:
        """Refuse as any; and see whether costs are asked for."""
        told = (request.get("usage") or {}).get("include") is True
        self.style = replace(self.style, usage=COST if told else {})
        return super().refuse(request)
