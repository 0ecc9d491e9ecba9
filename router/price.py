"""Prices: integer micro-USD, never a float, and unknown stays unknown."""

from dataclasses import dataclass

from router.usage import Usage

_MILLION = 1_000_000


@dataclass(frozen=True)
class Tier:
    """What tokens cost in a call that reads more than `above_tokens`; prices as in Price."""

    above_tokens: int
    input_microusd_per_million: int | None = None
    output_microusd_per_million: int | None = None
    cached_microusd_per_million: int | None = None
    cache_write_microusd_per_million: int | None = None


@dataclass(frozen=True)
class Price:
    """Micro-USD for a million tokens; None where nobody said.

    Tokens from the provider's cache cost as much as others where `cached` is None. `call_microusd` is due for every
    call. `cache_write` is for tokens that go into the provider's cache for as long as is usual, `written` the dearest
    that such a token can cost, as one that stays for an hour does; None: as others.
    `tiers` rise. `source` says where the price is from: `user`, `free`, `genai-prices` with its version, `openrouter`.
    `told`: answers tell what they cost, which stands where it is there.
    """

    input_microusd_per_million: int | None = None
    output_microusd_per_million: int | None = None
    cached_microusd_per_million: int | None = None
    written_microusd_per_million: int | None = None
    call_microusd: int = 0
    tiers: tuple[Tier, ...] = ()
    source: str = ""
    cache_write_microusd_per_million: int | None = None
    told: bool = False

    def known(self) -> bool:
        """Whether anything of it is known."""
        return self.input_microusd_per_million is not None or self.output_microusd_per_million is not None


FREE = Price(0, 0, source="free")
UNKNOWN = Price()

_LISTED = (None, "auto", "default", "standard", "standard_only", "flex")


def at_tier(price: Price, tier: object) -> Price:
    """Give the price of a call that asks for a tier of service (`service_tier`).

    Lists have the usual tier; `flex` costs less. What a dearer one (`priority`) costs is unknown; free is free.
    """
    return price if price == FREE or tier in _LISTED else UNKNOWN


def cost(price: Price, usage: Usage) -> int | None:
    """Give a call's cost in micro-USD, rounded up; None where a price that it needs is unknown."""
    if price.told and usage.cost_microusd is not None:
        return usage.cost_microusd
    rates = _rates(price, usage.input_tokens) if price.tiers else price
    each = rates.input_microusd_per_million
    cached = rates.cached_microusd_per_million
    long = usage.cache_write_1h_tokens
    dearest = price.written_microusd_per_million
    dearest = each if dearest is None else dearest
    write = rates.cache_write_microusd_per_million
    return _sum(
        price.call_microusd if usage.input_tokens or usage.output_tokens else 0,
        (max(usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens, 0), each),
        (usage.cached_tokens, each if cached is None else cached),
        (usage.cache_write_tokens - long, dearest if write is None else write),
        (long, dearest),
        (usage.output_tokens, rates.output_microusd_per_million),
    )


def source(price: Price, usage: Usage) -> str:
    """Say where a call's cost is from: the price's source, or `provider`, which told it itself."""
    return "provider" if price.told and usage.cost_microusd is not None else price.source


def most(price: Price, input_tokens: int, output_tokens: int) -> int | None:
    """Give the most that a call of at most so many tokens can cost, by any tier that it may reach."""
    reached: list[Price | Tier] = [price, *(tier for tier in price.tiers if tier.above_tokens < input_tokens)]
    read = [rate.input_microusd_per_million for rate in reached]
    read += [rate.cached_microusd_per_million or 0 for rate in reached] + [price.written_microusd_per_million or 0]
    read += [rate.cache_write_microusd_per_million or 0 for rate in reached]
    made = [rate.output_microusd_per_million for rate in reached]
    return _sum(price.call_microusd, (input_tokens, _dearest(read)), (output_tokens, _dearest(made)))


def _rates(price: Price, input_tokens: int) -> Price | Tier:
    reached = [tier for tier in price.tiers if tier.above_tokens < input_tokens]
    return reached[-1] if reached else price


def _dearest(rates: list[int | None]) -> int | None:
    known = [rate for rate in rates if rate is not None]
    return max(known) if len(known) == len(rates) else None


def _sum(fixed: int, *parts: tuple[int, int | None]) -> int | None:
    total = 0
    for tokens, each in parts:
        if tokens == 0:
            continue
        if each is None:
            return None
        total += tokens * each
    return fixed - (-total // _MILLION)
