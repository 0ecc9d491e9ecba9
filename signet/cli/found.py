"""What a scan found: as a table, and as the commands that would add it."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from signet.cli.words import ident, toned

if TYPE_CHECKING:
    from signet.v1.providers_pb2 import Provider

KINDS = ("openai", "ollama", "lmstudio", "llamacpp", "vllm", "openrouter", "responses", "anthropic")
"""Words of ProviderKind for what can be added."""


def table(found: "Sequence[Provider]") -> str:
    """Lay it out; a provider that is there already says so."""
    from signet.cli.form import word
    from signet.cli.table import columns

    return columns(
        ("NAME", "ADDED", "KIND", "STATE", "MODELS", "ADDRESS", "DETAIL"),
        [
            (
                ident(each.name),
                "yes" if each.origin else "no",
                word(each, "kind").lower(),
                toned(word(each, "state")),
                str(len(each.models)),
                each.base_url,
                each.state_detail,
            )
            for each in found
        ],
        empty="nothing that serves models",
    )


def line(found: "Provider") -> str:
    """Give the command that adds it, ready for a shell."""
    from signet.cli.form import word

    words = ["signet", "provider", "add", ident(found.name), found.base_url, "--kind", word(found, "kind").lower()]
    return shlex.join([*words, *(["--key-stdin"] if needs_key(found) else [])])


def needs_key(found: "Provider") -> bool:
    """Whether one that is not added told nothing without a key."""
    from signet.cli.form import word

    return word(found, "state") == "UNAVAILABLE"
