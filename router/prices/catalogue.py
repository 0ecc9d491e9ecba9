"""Public prices, from the data that the package `genai-prices` carries. Offline: its updater is never started."""

from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version

from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import ModelPrice, TieredPrices

from router.price import UNKNOWN, Price, Tier

_MICRO = 1_000_000
_KILO = 1_000
_WRITES = ("cache_write_mtok", "cache_write_5m_mtok", "cache_write_1h_mtok")


class Catalogue:
    """What public providers ask, known by the address that they are reached at."""

    def __init__(self) -> None:
        from genai_prices.data import providers

        self._snapshot = DataSnapshot(providers=providers, from_auto_update=False)
        self._source = f"genai-prices {version('genai-prices')}"

    def price(self, base_url: str, upstream: str, micros: int) -> Price:
        """Give a model's price at a time; UNKNOWN for an address or a model that nobody listed."""
        try:
            _, model = self._snapshot.find_provider_model(upstream, None, None, base_url)
        except LookupError:
            return UNKNOWN
        return self._read(model.get_prices(datetime.fromtimestamp(micros / _MICRO, UTC)))

    def _read(self, said: ModelPrice) -> Price:
        per_thousand = _base(said.requests_kcount)
        writes = [rate for rate in (_dearest(getattr(said, key)) for key in _WRITES) if rate is not None]
        return Price(
            input_microusd_per_million=_micro(_base(said.input_mtok)),
            output_microusd_per_million=_micro(_base(said.output_mtok)),
            cached_microusd_per_million=_micro(_base(said.cache_read_mtok)),
            written_microusd_per_million=_micro(max(writes)) if writes else None,
            call_microusd=0 if per_thousand is None else _micro(per_thousand / _KILO) or 0,
            tiers=_tiers(said),
            source=self._source,
            cache_write_microusd_per_million=_micro(_base(_usual(said))),
        )


def _tiers(said: ModelPrice) -> tuple[Tier, ...]:
    rates = (said.input_mtok, said.output_mtok, said.cache_read_mtok, _usual(said))
    starts = {tier.start for each in rates if isinstance(each, TieredPrices) for tier in each.tiers}
    return tuple(Tier(start, *(_micro(_at(each, start)) for each in rates)) for start in sorted(starts))


def _usual(said: ModelPrice) -> Decimal | TieredPrices | None:
    """Give what a write into the cache costs that asks for no particular time."""
    return said.cache_write_5m_mtok if said.cache_write_mtok is None else said.cache_write_mtok


def _at(each: Decimal | TieredPrices | None, start: int) -> Decimal | None:
    """Give the rate of a call that reads more than `start` tokens."""
    if not isinstance(each, TieredPrices):
        return each
    reached = [tier.price for tier in each.tiers if tier.start <= start]
    return reached[-1] if reached else each.base


def _base(each: Decimal | TieredPrices | None) -> Decimal | None:
    return each.base if isinstance(each, TieredPrices) else each


def _dearest(each: Decimal | TieredPrices | None) -> Decimal | None:
    return max(each.base, *(tier.price for tier in each.tiers)) if isinstance(each, TieredPrices) else each


def _micro(dollars: Decimal | None) -> int | None:
    return None if dollars is None else int((dollars * _MICRO).to_integral_value(ROUND_CEILING))
