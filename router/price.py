"""Prices: integer micro-USD, never a float, and unknown stays unknown."""

from dataclasses import dataclass

from router.usage import Usage

_MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """Micro-USD for a million tokens; None where nobody said."""

    input_microusd_per_million: int | None = None
    output_microusd_per_million: int | None = None


FREE = Price(0, 0)
UNKNOWN = Price()


def cost(price: Price, usage: Usage) -> int | None:
    """Give a call's cost in micro-USD, rounded up; None where a price that it needs is unknown."""
    total = 0
    for tokens, each in (
        (usage.input_tokens, price.input_microusd_per_million),
        (usage.output_tokens, price.output_microusd_per_million),
    ):
        if tokens == 0:
            continue
        if each is None:
            return None
        total += tokens * each
    return -(-total // _MILLION)
