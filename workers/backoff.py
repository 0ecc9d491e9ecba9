"""Waiting between attempts: longer each time, never in step with other workers."""

import random
from dataclasses import dataclass


@dataclass
class Backoff:
    """Pauses that double from `first` to `most` seconds, each drawn from its upper half."""

    first: float = 0.05
    most: float = 2.0
    attempt: int = 0

    def next(self) -> float:
        """Give the next pause."""
        whole = min(self.first * 2.0 ** min(self.attempt, 20), self.most)
        self.attempt += 1
        return whole * random.uniform(0.5, 1)  # noqa: S311 - it spreads load and guards nothing

    def reset(self) -> None:
        """Begin anew after a success."""
        self.attempt = 0
