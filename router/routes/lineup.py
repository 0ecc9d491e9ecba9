"""A name resolved: its route, and the lanes that the route's targets lead to."""

from dataclasses import dataclass

from router.routes.lane import Lane
from router.routes.route import Route, Target


@dataclass(frozen=True, slots=True)
class Stop:
    """A target and its lane; `lane` is None where there is no such provider."""

    target: Target
    lane: Lane | None


@dataclass(frozen=True, slots=True)
class Lineup:
    """What stands behind a public name now: `name` without `models/`, and a stop for every target."""

    name: str
    route: Route
    stops: tuple[Stop, ...]

    @property
    def model(self) -> str:
        """The name with `models/` before it."""
        return f"models/{self.name}"

    @property
    def plain(self) -> bool:
        """Whether it is one model of one provider, by its own name."""
        return "/" in self.name
