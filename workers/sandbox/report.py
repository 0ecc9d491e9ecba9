"""What the probe found inside a sandbox."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

State = Literal["enforced", "partial", "absent"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of isolation.

    `enforced` held against what the probe tried, `partial` is all this kernel can do, `absent` did
    not hold. `detail` says what was seen, `hint` how to mend it.
    """

    name: str
    state: State
    detail: str
    hint: str = ""


def flag(name: str, holds: bool, detail: str) -> Layer:  # noqa: FBT001 - a finding, always by position
    """Give a layer that holds as `detail` says, or does not."""
    return Layer(name, "enforced" if holds else "absent", detail if holds else f"not so: {detail}")


@dataclass(frozen=True, slots=True)
class Report:
    """The layers of one sandbox, in the order in which they were tried."""

    layers: tuple[Layer, ...]

    def layer(self, name: str) -> Layer:
        """Find the layer of that name; KeyError if the probe knows none."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def missing(self, best_effort: frozenset[str] = frozenset()) -> tuple[Layer, ...]:
        """List the layers that do not hold and that nobody agreed to go without."""
        return tuple(layer for layer in self.layers if layer.state == "absent" and layer.name not in best_effort)

    def to_wire(self) -> list[dict[str, Any]]:
        """Write this report as JSON values."""
        return [asdict(layer) for layer in self.layers]

    @classmethod
    def from_wire(cls, layers: Sequence[dict[str, Any]]) -> Self:
        """Read the report that `to_wire` wrote."""
        return cls(tuple(Layer(**layer) for layer in layers))
