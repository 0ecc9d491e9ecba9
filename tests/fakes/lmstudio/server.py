"""LM Studio's `/api/v0/models` or `/api/v1/models`, and its way of answering, 200 for whatever it does not know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.provider import Asked, FakeProvider, Reply
from tests.fakes.provider.style import Style

STYLE = Style(
    fields={"system_fingerprint": "qwen2-vl-7b-instruct"},
    choice={"logprobs": None},
    arguments=4,
    cached=False,
    no_content="",
    limits=("max_tokens",),
)
ROWS: tuple[Mapping[str, Any], ...] = (
    {"id": "qwen2-vl-7b-instruct", "type": "vlm", "state": "loaded", "max_context_length": 32_768,
     "loaded_context_length": 4096, "capabilities": ["tool_use"]},
    {"id": "gemma-3-270m", "type": "llm", "state": "not-loaded", "max_context_length": 32_768},
    {"id": "text-embedding-nomic-embed-text-v1.5", "type": "embeddings", "state": "not-loaded",
     "max_context_length": 2048},
)  # fmt: skip


@dataclass
class FakeLMStudio(FakeProvider):
    """Offers the models of ROWS. `version` is that of its own interface: 0 or 1."""

    models: tuple[str, ...] = tuple(str(row["id"]) for row in ROWS)
    style: Style = STYLE
    version: int = 0

    def rows(self) -> list[dict[str, Any]]:
        """Give its list, which says no more than names."""
        return [{"id": name, "object": "model", "owned_by": "organization_owner"} for name in self.models]

    def own(self, asked: Asked) -> tuple[int, Any] | None:
        """Answer its own questions, and any other with an error whose status is 200."""
        if asked.path == "/api/v0/models" and self.version == 0:
            return 200, {"object": "list", "data": [{"object": "model", **row} for row in ROWS]}
        if asked.path == "/api/v1/models" and self.version == 1:
            return 200, {"models": [_newer(row) for row in ROWS]}
        if asked.path.startswith("/v1/"):
            return None
        return 200, {"error": f"Unexpected endpoint or method. (GET {asked.path})"}

    def refuse(self, request: Mapping[str, Any]) -> Reply | None:
        """Refuse as LM Studio does: JSON of no schema."""
        if (request.get("response_format") or {}).get("type") == "json_object":
            return Reply(status=400, error={"message": "'response_format.type' must be 'json_schema' or 'text'"})
        return super().refuse(request)


def _newer(row: Mapping[str, Any]) -> dict[str, Any]:
    embeds = row["type"] == "embeddings"
    loaded = [{"id": row["id"], "config": {"context_length": row.get("loaded_context_length")}}] * (
        row["state"] == "loaded"
    )
    able = {"vision": row["type"] == "vlm", "trained_for_tool_use": "capabilities" in row}
    return {
        "type": "embedding" if embeds else "llm",
        "key": row["id"],
        "loaded_instances": loaded,
        "max_context_length": row["max_context_length"],
        **({} if embeds else {"capabilities": able}),
    }
