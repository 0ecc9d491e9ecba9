"""The kinds of providers: a name, and what makes one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.model import Spec
    from router.providers.contract import Make, Parts, Provider


def _openai(spec: "Spec", parts: "Parts") -> "Provider":
    from router.providers.openai import OpenAI

    return OpenAI(spec, parts)


def _embedded(spec: "Spec", parts: "Parts") -> "Provider":
    from router.providers.embedded import Embedded

    return Embedded(spec, parts)


PROVIDERS: Mapping[str, "Make"] = {"OPENAI": _openai, "EMBEDDED": _embedded}
"""Names are those of `signet.v1.ProviderKind` without its prefix."""
