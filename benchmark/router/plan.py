"""What one measurement is asked to do, and how its two halves, inside and outside the network of its own, tell it."""

import json
from dataclasses import asdict, dataclass

PEERS = ("litellm", "portkey", "tensorzero")


@dataclass(frozen=True)
class Plan:
    """`repeats` of every cell; `calls` for the memory of ours, `peer_seconds` for that of each peer.

    `alone`: in a network of its own. `quick` takes fewer cells. Raises ValueError for a peer nobody knows.
    """

    repeats: int
    peers: tuple[str, ...]
    quick: bool = False
    calls: int = 100_000
    peer_seconds: float = 8.0
    alone: bool = True

    def __post_init__(self) -> None:
        """See that the peers are known and the numbers sensible."""
        if unknown := sorted(set(self.peers) - set(PEERS)):
            raise ValueError(f"there is no peer {', '.join(unknown)}; there are {', '.join(PEERS)}")
        if self.repeats < 1 or self.calls < 1:
            raise ValueError("repeats and calls must be above 0")

    @classmethod
    def parse(cls, text: str) -> "Plan":
        """Read what `text` wrote."""
        found = json.loads(text)
        return cls(**{**found, "peers": tuple(found["peers"])})

    def text(self) -> str:
        """Write it down for `parse`."""
        return json.dumps(asdict(self))
