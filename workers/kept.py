"""What has to be known of an idle cell by the process that goes on with it."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from workers.logbook import Line


@dataclass(frozen=True, slots=True)
class Kept:
    """One cell. `order` is the PolicyOrder in force, `authority` what `Authority.saved` gave, `log` its last lines.

    Key, seed and token are secrets: it goes through a descriptor at most.
    """

    sandbox: str
    order: bytes = field(repr=False)
    static: str
    bundle: str
    authority: str = field(repr=False)
    seed: bytes = field(repr=False)
    opened: int
    warm: bool
    log: tuple[Line, ...]

    def to_wire(self) -> dict[str, Any]:
        """Write it as JSON values."""
        fields = asdict(self)
        return {**fields, "order": b64encode(self.order).decode(), "seed": self.seed.hex()}

    @classmethod
    def from_wire(cls, fields: Mapping[str, Any]) -> Self:
        """Read what `to_wire` wrote."""
        return cls(
            **{
                **fields,
                "order": b64decode(fields["order"]),
                "seed": bytes.fromhex(fields["seed"]),
                "log": tuple(Line(**line) for line in fields["log"]),
            }
        )
