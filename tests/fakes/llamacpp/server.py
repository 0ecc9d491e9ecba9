"""llama.cpp's `/props`, `/health`, `/apply-template` and `/tokenize`, and its way of answering."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.provider import Asked, FakeProvider, Reply
from tests.fakes.provider.reply import CACHED_TOKENS, PROMPT_TOKENS
from tests.fakes.provider.style import Style

TIMINGS = {"cache_n": CACHED_TOKENS, "prompt_n": PROMPT_TOKENS - CACHED_TOKENS, "prompt_ms": 30.9, "predicted_n": 4,
           "predicted_ms": 66.1}  # fmt: skip
STYLE = Style(
    fields={"system_fingerprint": "b6730-3df2244"},
    last={"timings": TIMINGS},
    arguments=3,
    reasoned=False,
    limits=("max_tokens",),
)
TEMPLATE = "{%- for message in messages %}{{ message.role }}: {{ message.content }}\n{%- endfor %}<think>"


@dataclass
class FakeLlamaCpp(FakeProvider):
    """Serves one model. `loading`: its health is 503, though it lists the model. `counts`: a version that can."""

    models: tuple[str, ...] = ("qwen3-4b-q4_k_m.gguf",)
    style: Style = STYLE
    loading: bool = False
    counts: bool = False
    vision: bool = True
    context: int = 8192

    def rows(self) -> list[dict[str, Any]]:
        """Give its list: what it serves, and what the weights say of it, once they are loaded."""
        meta = None if self.loading else {"n_ctx_train": 40_960, "n_params": 4_022_468_096}
        return [
            {"id": name, "object": "model", "created": 1, "owned_by": "llamacpp", "meta": meta} for name in self.models
        ]

    def own(self, asked: Asked) -> tuple[int, Any] | None:
        """Answer its own questions."""
        if self.loading and asked.path != "/v1/models":
            return 503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
        if asked.path == "/health":
            return 200, {"status": "ok"}
        if asked.path == "/props":
            return 200, self._props()
        if asked.path == "/apply-template":
            return 200, {"prompt": "".join(f"{each['role']}: {each['content']}\n" for each in asked.body["messages"])}
        if asked.path == "/tokenize":
            return 200, {"tokens": list(range(len(asked.body["content"].split())))}
        if asked.path == "/v1/chat/completions/input_tokens" and self.counts:
            return 200, {"object": "response.input_tokens", "input_tokens": 77}
        return None

    def _props(self) -> dict[str, Any]:
        return {
            "default_generation_settings": {"id": 0, "n_ctx": self.context, "params": {"temperature": 0.8}},
            "total_slots": 2,
            "model_path": f"/models/{self.models[0]}",
            "modalities": {"vision": self.vision, "audio": False},
            "chat_template": TEMPLATE,
            "chat_template_caps": {"supports_tools": True, "supports_tool_calls": True},
            "build_info": "b6730-3df2244",
        }

    def refuse(self, request: Mapping[str, Any]) -> Reply | None:
        """Refuse as llama.cpp does: what is longer than a slot."""
        refused = super().refuse(request)
        if refused is None:
            return None
        error = {"code": 400, "message": "the request exceeds the available context size, try increasing it",
                 "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": self.context}  # fmt: skip
        return Reply(status=400, error=error)
