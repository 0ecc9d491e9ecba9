"""Usage, in this form's words and in chat's."""

from collections.abc import Mapping
from typing import Any

from router.usage import chat_words, read


def write(neutral: object) -> dict[str, Any] | None:
    """Write chat's usage in this form; None where there is none."""
    used = read(neutral)
    if used is None:
        return None
    return {
        "input_tokens": used.input_tokens,
        "input_tokens_details": {
            "cached_tokens": used.cached_tokens,
            "cache_write_tokens": used.cache_write_tokens,
        },
        "output_tokens": used.output_tokens,
        "output_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
        "total_tokens": used.input_tokens + used.output_tokens,
    }


def neutral(response: Mapping[str, Any]) -> dict[str, Any] | None:
    """Write a response's usage in chat's words; None where it has none."""
    used = read(response.get("usage"))
    if used is None:
        return None
    return chat_words(used)
