"""The kinds of providers: a name, and what makes one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.model import Spec
    from router.providers.contract import Make, Parts, Provider


def _openai(spec: "Spec", parts: "Parts") -> "Provider":
    from router.providers.openai import OpenAI

    if spec.origin != "environment":
        return OpenAI(spec, parts)
    from router.providers.unsaid import Unsaid

    return OpenAI(spec, parts, Unsaid)


def _embedded(spec: "Spec", parts: "Parts") -> "Provider":
    from router.providers.embedded import Embedded

    return Embedded(spec, parts)


def _ollama(spec: "Spec", parts: "Parts") -> "Provider":
    from router.providers.ollama import Ollama
    from router.providers.openai import OpenAI

    return OpenAI(spec, parts, Ollama)


def _lmstudio(spec: "Spec", parts: "Parts") -> "Provider":
    from router.providers.lmstudio import LMStudio
    from router.providers.openai import OpenAI

    return OpenAI(spec, parts, LMStudio)


def _llamacpp(spec: "Spec", parts: "Parts") -> "Provider":
    from router.providers.llamacpp import LlamaCpp
    from router.providers.openai import OpenAI

    return OpenAI(spec, parts, LlamaCpp)


def _vllm(spec: "Spec", parts: "Parts") -> "Provider":
    from router.providers.openai import OpenAI
    from router.providers.vllm import VLLM

    return OpenAI(spec, parts, VLLM)


def _openrouter(spec: "Spec", parts: "Parts") -> "Provider":
    from router.providers.openai import OpenAI
    from router.providers.openrouter import OpenRouter

    return OpenAI(spec, parts, OpenRouter)


def _anthropic(spec: "Spec", parts: "Parts") -> "Provider":
    from router.providers.anthropic import Anthropic

    return Anthropic(spec, parts)


PROVIDERS: Mapping[str, "Make"] = {
    "OPENAI": _openai,
    "EMBEDDED": _embedded,
    "OLLAMA": _ollama,
    "LMSTUDIO": _lmstudio,
    "LLAMACPP": _llamacpp,
    "VLLM": _vllm,
    "OPENROUTER": _openrouter,
    "RESPONSES": _openai,  # another form for what is asked; what is listed, and how, is the same
    "ANTHROPIC": _anthropic,
}
"""Names are those of `signet.v1.ProviderKind` without its prefix."""
