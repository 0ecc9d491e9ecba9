"""The worst case of a call, known before it is sent. Pure."""

import math
from dataclasses import dataclass, replace
from typing import Any

from router.ask import CHAT, LIMITS, Ask
from router.budgets.budget import Amounts
from router.price import Price, most
from router.usage import Usage

_MEDIA_TOKENS = 8192
"""What a picture or a sound adds at most, which may be no longer than an address in the request."""

_MOST_TOKENS = 1 << 40


@dataclass(frozen=True)
class Estimate:
    """The most that a call may use: micro-USD (None where the price is unknown), tokens, whole seconds."""

    cost_microusd: int | None
    input_tokens: int
    output_tokens: int
    seconds: int

    @property
    def amounts(self) -> Amounts:
        """It, as budgets count it."""
        return Amounts(self.cost_microusd, self.input_tokens + self.output_tokens, self.seconds)

    def within(self, usage: Usage) -> Usage:
        """Give an estimated usage no larger than this; what a provider itself said is left as it is."""
        if not usage.estimated:
            return usage
        return replace(
            usage,
            input_tokens=min(usage.input_tokens, self.input_tokens),
            output_tokens=min(usage.output_tokens, self.output_tokens),
        )


@dataclass(frozen=True)
class Ceiling:
    """What bounds a call besides what it says itself.

    The model's context (0 where unknown), the output of a call that names no limit, the seconds that any call may
    take, and the field in which a provider takes a limit.
    """

    context_tokens: int
    output_tokens: int
    seconds: float
    field: str = "max_tokens"


def bound(ask: Ask, price: Price, ceiling: Ceiling, *, put: bool) -> tuple[Ask, Estimate]:
    """Give a call's worst case; with `put`, a call that names no limit gets one in its request.

    A token is at least a byte, so a request has at most as many tokens as bytes; one that is not whole has at most as
    many as the context. A limit that was said in another form is put into the provider's own word for it.
    """
    context = ceiling.context_tokens or _MOST_TOKENS
    given = context if ask.unbounded else min(ask.size + _MEDIA_TOKENS * _media(ask.body), context)
    made = 0
    if ask.endpoint == CHAT:
        limit = _limit(ask.body)
        if limit is None:
            limit = min(ceiling.output_tokens, context)
            if put:
                ask = ask.limited(ceiling.field, limit)
        elif ask.native is not None:
            ask = ask.limited(ceiling.field, limit)
        made = min(limit, context) * _choices(ask.body)
    cost = most(price, given, made)
    return ask, Estimate(cost, given, made, math.ceil(ceiling.seconds))


def limit_field(base_url: str) -> str:
    """Name the field for a limit of output: OpenAI's own reasoning models refuse the one that all others know."""
    host = base_url.partition("://")[2].partition("/")[0]
    return LIMITS[0] if host == "api.openai.com" or host.endswith(".openai.azure.com") else LIMITS[1]


def _limit(body: dict[str, Any]) -> int | None:
    said = [body[name] for name in LIMITS if body.get(name) is not None]
    if not said or not all(type(value) is int and 0 < value <= _MOST_TOKENS for value in said):
        return None  # -1 means endless to some servers
    return int(max(said))


def _choices(body: dict[str, Any]) -> int:
    counts = [int(body[name]) for name in ("n", "best_of") if type(body.get(name)) is int]
    return min(max(1, *counts, 1), _MOST_TOKENS)


def _media(body: dict[str, Any]) -> int:
    """Count the parts of messages that are no text."""
    count = 0
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            count += sum(1 for part in content if not isinstance(part, dict) or part.get("type") != "text")
    return count
