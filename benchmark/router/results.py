"""Everything that a measurement took, raw, as it passes from the network of its own to whoever makes rows of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.router.cells import Cell
from benchmark.router.generator import Taken, Times


@dataclass(frozen=True)
class Growth:
    """A target's memory in MiB after each portion of calls, the last after all of them."""

    target: str
    calls: int
    sizes: tuple[float, ...]


@dataclass(frozen=True)
class Results:
    """`notes` say what is missing or not as it should be; `setup` what was measured."""

    taken: tuple[Taken, ...]
    grown: tuple[Growth, ...]
    notes: tuple[str, ...]
    setup: Mapping[str, str]
    seconds: float

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Results":
        """Make it of what `asdict` made of it."""
        return cls(
            tuple(_taken(each) for each in found["taken"]),
            tuple(Growth(each["target"], each["calls"], tuple(each["sizes"])) for each in found["grown"]),
            tuple(found["notes"]),
            found["setup"],
            found["seconds"],
        )


def _taken(found: Mapping[str, Any]) -> Taken:
    times = {name: Times(**found[name]) for name in ("latency", "first", "gap")}
    return Taken(**{**found, **times, "cell": Cell(**found["cell"])})
