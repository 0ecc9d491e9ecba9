"""What a model costs: what the user said, nothing for what runs here, else what is publicly known, else unknown."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from router.model import Spec
from router.price import UNKNOWN, Price
from signet.kit.times import now_micros

if TYPE_CHECKING:
    from router.prices.catalogue import Catalogue

_SLOT_MICROS = 60_000_000  # some prices depend on the time of day
_KEPT = 4096


class Book:
    """Prices by provider and model. The catalogue, 30 MiB and a fifth of a second, is read when it is first needed."""

    def __init__(self, clock: Callable[[], int] = now_micros) -> None:
        self._clock = clock
        self._catalogue: Catalogue | None = None
        self._loading = asyncio.Lock()
        self._known: dict[tuple[str, str], tuple[int, Price]] = {}

    async def price(self, spec: Spec, upstream: str, own: Price = UNKNOWN) -> Price:
        """Give what a model of a provider costs now: as the user said, else as its endpoint does, else as is listed.

        `own` is what the endpoint says. UNKNOWN where nobody said.
        """
        if spec.price.known():
            return spec.price if spec.price.source else replace(spec.price, source="user")
        if own.known() or not spec.base_url.startswith("https://"):
            return own  # and no public provider is reached but by https
        slot = self._clock() // _SLOT_MICROS
        found = self._known.get((spec.base_url, upstream))
        if found and found[0] == slot:
            return replace(found[1], told=True) if own.told else found[1]
        price = (await self._loaded()).price(spec.base_url, upstream, slot * _SLOT_MICROS)
        if len(self._known) >= _KEPT:
            self._known.pop(next(iter(self._known)))
        self._known[spec.base_url, upstream] = (slot, price)
        return replace(price, told=True) if own.told else price

    async def _loaded(self) -> "Catalogue":
        async with self._loading:
            if self._catalogue is None:
                self._catalogue = await asyncio.to_thread(_load)
        return self._catalogue


def _load() -> "Catalogue":
    from router.prices.catalogue import Catalogue

    return Catalogue()
