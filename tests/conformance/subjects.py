"""The providers that the suite is held against: each kind before a fake of its server, and the embedded models."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.fakes.anthropic import LATER, FakeAnthropic
from tests.fakes.llamacpp import FakeLlamaCpp
from tests.fakes.lmstudio import FakeLMStudio
from tests.fakes.ollama import FakeOllama
from tests.fakes.openrouter import FakeOpenRouter
from tests.fakes.provider import FakeProvider
from tests.fakes.responses import FakeResponses
from tests.fakes.vllm import FakeVLLM

ALL = frozenset({"tools", "images", "json_schema", "reasoning"})


@dataclass(frozen=True)
class Subject:
    """A kind of provider, its models' own names, and what its chat model can do.

    `make` makes its fake, None for the embedded one. `embeddings` is empty where it has none. `chats`: it speaks the
    neutral form, so that fields nobody knows pass both ways.
    """

    kind: str
    make: Callable[[], FakeProvider] | None
    chat: str
    embeddings: str = ""
    can: frozenset[str] = ALL
    chats: bool = True

    @property
    def id(self) -> str:
        """The provider's id in the suite's router."""
        return self.kind.lower()

    def model(self, name: str = "") -> str:
        """Give the public name of its chat model, or of another one."""
        return f"{self.id}/{name or self.chat}"


CONTEXT_WORDS = 4000


def _of(make: type[FakeProvider]) -> Callable[[], FakeProvider]:
    return lambda: make(context_words=CONTEXT_WORDS)


EMBEDDED = Subject("EMBEDDED", None, "smollm2", "e5", frozenset({"json_schema"}))
SERVED = (
    Subject("OPENAI", _of(FakeProvider), "fake-small", "fake-embed"),
    Subject("OLLAMA", _of(FakeOllama), "qwen3:8b", "nomic-embed-text:latest"),
    Subject("LMSTUDIO", _of(FakeLMStudio), "qwen2-vl-7b-instruct", "text-embedding-nomic-embed-text-v1.5"),
    Subject("LLAMACPP", _of(FakeLlamaCpp), "qwen3-4b-q4_k_m.gguf", "qwen3-4b-q4_k_m.gguf"),
    Subject("VLLM", _of(FakeVLLM), "Qwen/Qwen3-8B", "intfloat/e5-embed"),
    Subject("OPENROUTER", _of(FakeOpenRouter), "qwen/qwen3-vl"),
    Subject("ANTHROPIC", _of(FakeAnthropic), LATER, chats=False),
    Subject("RESPONSES", _of(FakeResponses), "fake-small", "fake-embed", chats=False),
)
"""One line for each kind; see conftest for what its fake has to offer."""

SUBJECTS = (*SERVED, EMBEDDED)
