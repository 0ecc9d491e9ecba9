"""Ollama's `/api/tags`, `/api/show`, `/api/ps` and `/api/version`, and its way of answering."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.provider import Asked, FakeProvider, Reply
from tests.fakes.provider.style import Style

STYLE = Style(
    fields={"system_fingerprint": "fp_ollama"},
    reasoning=("reasoning",),
    cached=False,
    reasoned=False,
    no_content="",
    limits=("max_tokens",),
)


@dataclass(frozen=True)
class Pulled:
    """A model that it has. `loaded` is the context that it runs with, 0 for one that is not loaded."""

    able: tuple[str, ...] = ("completion", "tools")
    context: int = 131_072
    loaded: int = 0
    parameters: str = ""


MODELS = {
    "qwen3:8b": Pulled(("completion", "tools", "thinking", "vision"), 40_960, loaded=4096),
    "gemma:2b": Pulled(("completion",), 8192, parameters="stop <end_of_turn>\nnum_ctx                        2048"),
    "nomic-embed-text:latest": Pulled(("embedding",), 2048),
}


@dataclass
class FakeOllama(FakeProvider):
    """Offers the models of `pulled`. `tells` off: a version that tells no capabilities."""

    models: tuple[str, ...] = tuple(MODELS)
    style: Style = STYLE
    pulled: Mapping[str, Pulled] = field(default_factory=lambda: dict(MODELS))
    tells: bool = True

    def rows(self) -> list[dict[str, Any]]:
        """Give its list, newest first."""
        return [{"id": name, "object": "model", "created": 1, "owned_by": "library"} for name in self.models]

    def own(self, asked: Asked) -> tuple[int, Any] | None:
        """Answer its own questions."""
        if asked.path == "/api/version":
            return 200, {"version": "0.12.6"}
        if asked.path == "/api/tags":
            return 200, {"models": [{"name": name, "model": name, "digest": digest(name)} for name in self.models]}
        if asked.path == "/api/ps":
            loaded = [(name, model) for name, model in self.pulled.items() if model.loaded]
            return 200, {"models": [{"name": name, "context_length": model.loaded} for name, model in loaded]}
        if asked.path == "/api/show":
            return self._show(asked.body["model"])
        return None

    def _show(self, name: str) -> tuple[int, Any]:
        model = self.pulled.get(name)
        if model is None:
            return 404, {"error": f"model '{name}' not found"}
        told = {"capabilities": list(model.able)} if self.tells else {}
        info = {"general.architecture": "qwen3", "qwen3.context_length": model.context}
        return 200, {"parameters": model.parameters, "model_info": info, "details": {"family": "qwen3"}, **told}

    def refuse(self, request: Mapping[str, Any]) -> Reply | None:
        """Refuse as Ollama does: what a model cannot do, and roles that its templates would drop without a word."""
        able = self.pulled[request["model"]].able if request["model"] in self.pulled else ()
        if request.get("tools") and "tools" not in able:
            return Reply(
                status=400, error={"message": f"{request['model']} does not support tools", "type": "api_error"}
            )
        roles = {message["role"] for message in request["messages"]}
        if unknown := roles - {"system", "user", "assistant", "tool"}:
            raise AssertionError(f"roles that Ollama drops reached it: {unknown}")
        return super().refuse(request)


def digest(name: str) -> str:
    """Give the digest of a model's manifest."""
    return hashlib.sha256(name.encode()).hexdigest()
