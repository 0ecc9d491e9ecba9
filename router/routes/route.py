"""A route: a public model name, and what stands behind it, in order."""

from dataclasses import dataclass

ORDER = "ORDER"
WEIGHT = "WEIGHT"
PRICE = "PRICE"
SPEED = "SPEED"
LOAD = "LOAD"
PREFERENCES = (ORDER, WEIGHT, PRICE, SPEED, LOAD)
"""How to choose among targets that are ready; the names are those of `signet.v1.RoutePreference`."""

CAPABILITIES = ("tools", "images", "json_schema", "reasoning", "embeddings")
"""What a target can be said to do."""

WEIGHT_DEFAULT = 100


@dataclass(frozen=True, slots=True)
class Target:
    """One way to have a call answered: a provider's id and its own name of the model.

    `weight` is its share, and the order where all else is the same. `concurrency` bounds the calls at once, 0: the
    router finds out. `context_tokens` 0 and no `capabilities`: what the provider says.
    """

    provider: str
    upstream: str
    weight: int = WEIGHT_DEFAULT
    concurrency: int = 0
    context_tokens: int = 0
    capabilities: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The public name of what it leads to, without `models/`."""
        return f"{self.provider}/{self.upstream}"


@dataclass(frozen=True, slots=True)
class Route:
    """A route by its public name, without `models/`; a plain `provider/model` is one of a single target.

    `hedge_millis`: ask the next target, too, where the first one has not begun to answer by then; 0 never.
    `repeat_timeouts`: ask the next target also after one that took the call and then said nothing, which may cost
    both; else only where the first one costs nothing.
    """

    name: str
    targets: tuple[Target, ...]
    preference: str = ORDER
    hedge_millis: int = 0
    repeat_timeouts: bool = False
    description: str = ""
    update_micros: int = 0
