"""Usage: what a provider says that a call consumed, and what is assumed when it does not say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

_MOST = 1 << 40  # a count beyond this is nonsense
_BYTES_PER_TOKEN = 4
_MICRO = 1_000_000
_MOST_DOLLARS = 1_000_000

_encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: that takes as long as to write a few fields


@dataclass(frozen=True)
class Usage:
    """Tokens of one call; cached ones are part of the input, reasoning ones of the output.

    `cache_write_tokens` are those of the input that the provider put into its cache, `cache_write_1h_tokens` those of
    them that it keeps for an hour, which is dearer. `cost_microusd` is what the provider itself says that it cost.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cost_microusd: int | None = None


NOTHING = Usage(0, 0)
"""Of a call that its provider did not take."""


@dataclass(frozen=True)
class Charge:
    """What the ledger keeps of a call and the caller is told: an unknown cost is None, never 0."""

    call: str
    provider: str
    model: str
    usage: Usage
    cost_microusd: int | None

    def text(self) -> bytes:
        """Write it as the header `x-signet-usage` and the stream's last comment carry it."""
        usage = self.usage
        fields = {
            "call": self.call,
            "provider": self.provider,
            "model": self.model,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cached_tokens": usage.cached_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "estimated": usage.estimated,
            "cost_microusd": self.cost_microusd,
        }
        return _encode(fields).encode()


def read(said: object) -> Usage | None:
    """Read an OpenAI `usage` object; None where it is missing or nonsense."""
    if not isinstance(said, Mapping):
        return None
    given = _count(said, "prompt_tokens", "input_tokens")
    made = _count(said, "completion_tokens", "output_tokens")
    if given is None or (made is None and "total_tokens" not in said):
        return None
    details = _part(said, "prompt_tokens_details", "input_tokens_details")
    cached = min(_count(details, "cached_tokens") or 0, given)
    wrote = min(_count(details, "cache_write_tokens", "cache_creation_tokens") or 0, given - cached)
    reasoned = _count(_part(said, "completion_tokens_details", "output_tokens_details"), "reasoning_tokens")
    made = made or 0  # embeddings make none, and say so by silence
    reasoned = min(reasoned or 0, made)
    hour = min(_count(details, "cache_write_1h_tokens") or 0, wrote)
    return Usage(
        given,
        made,
        cached,
        reasoned,
        cache_write_tokens=wrote,
        cache_write_1h_tokens=hour,
        cost_microusd=_cost(said),
    )


def of(answer: Mapping[str, Any]) -> Usage | None:
    """Read the usage of an answer in the neutral form, or of an event of it; None where it tells none.

    llama.cpp tells how long it took, and for how many tokens, where it tells no usage: `prompt_n` are those that were
    read, besides those that its cache had.
    """
    usage = read(answer.get("usage"))
    if usage is not None or "timings" not in answer:
        return usage
    said = _part(answer, "timings")
    given, made = _count(said, "prompt_n"), _count(said, "predicted_n")
    if given is None or made is None:
        return None
    cached = _count(said, "cache_n") or 0
    return Usage(given + cached, made, cached)


def chat_words(used: Usage) -> dict[str, Any]:
    """Write a usage as chat completions do, with what goes into caches besides where there is any: `read` reads it."""
    given: dict[str, Any] = {"cached_tokens": used.cached_tokens}
    if used.cache_write_tokens:
        given["cache_write_tokens"] = used.cache_write_tokens
    if used.cache_write_1h_tokens:
        given["cache_write_1h_tokens"] = used.cache_write_1h_tokens
    return {
        "prompt_tokens": used.input_tokens,
        "completion_tokens": used.output_tokens,
        "total_tokens": used.input_tokens + used.output_tokens,
        "prompt_tokens_details": given,
        "completion_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
    }


def estimate(input_bytes: int, output_bytes: int, pieces: int = 0) -> Usage:
    """Assume a token for every four bytes, and at least one for every piece of a stream."""
    return Usage(
        input_tokens=-(-input_bytes // _BYTES_PER_TOKEN),
        output_tokens=max(pieces, -(-output_bytes // _BYTES_PER_TOKEN)),
        estimated=True,
    )


def _cost(said: Mapping[str, Any]) -> int | None:
    """Read dollars, rounded up. Where the caller's own key paid the model's host, that is due besides the fee."""
    fee = _dollars(said.get("cost"))
    if fee is None:
        return None
    besides = _dollars(_part(said, "cost_details").get("upstream_inference_cost")) if said.get("is_byok") else None
    return int(((fee + (besides or 0)) * _MICRO).to_integral_value(ROUND_CEILING))


def _dollars(said: Any) -> Decimal | None:
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    return Decimal(str(said)) if 0 <= said < _MOST_DOLLARS else None


def _part(said: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        part = said.get(name)
        if isinstance(part, Mapping):
            return part
    return {}


def _count(said: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = said.get(name)
        if type(value) is int and 0 <= value < _MOST:
            return value
    return None
