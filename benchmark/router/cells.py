"""What is measured: kinds of load, and the order in which targets get them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

TOKENS = 64
"""In every answer."""

DELAY_US = 5_000
"""Between two tokens of a paced stream."""


@dataclass(frozen=True)
class Cell:
    """One kind of load. `form` is `json`, `burst` (a stream in one piece) or `paced` (a token every 5 ms).

    Without a `rate` each of the callers asks as soon as it was answered; with one, calls begin at random moments, so
    many a second on the average, whatever became of those before. `seconds` is how long calls are begun, not the wait
    for their ends; a target that is known to be slow gets `slow` times as long, to end enough of them.
    """

    form: str
    callers: int
    seconds: float
    rate: float | None = None
    slow: float = 1.0

    @property
    def name(self) -> str:
        """What it is known by, however long it is."""
        return f"{self.form}@{self.rate:g}/s" if self.rate else f"{self.form} c={self.callers}"

    @property
    def spread(self) -> float:
        """Seconds within which callers come: as long as a paced stream takes, lest all of them march in step."""
        return TOKENS * DELAY_US / 1e6 if self.form == "paced" and not self.rate else 0.0

    @property
    def warm(self) -> int:
        """Calls made first and not counted."""
        return 0 if self.form == "paced" else min(self.callers, 8)


JSON_1, JSON_32, JSON_256 = Cell("json", 1, 1.5, slow=2), Cell("json", 32, 1.5, slow=2), Cell("json", 256, 1.0, slow=2)
BURST_1, BURST_32, BURST_256 = Cell("burst", 1, 1.0, slow=2), Cell("burst", 32, 1.0, slow=3), Cell("burst", 256, 1.0)
PACED_32, PACED_256 = Cell("paced", 32, 1.5), Cell("paced", 256, 0.7)
PACED_OPEN = Cell("paced", 256, 2.5, rate=8)

FULL = (JSON_1, JSON_32, JSON_256, BURST_1, BURST_32, BURST_256, PACED_32, PACED_256, PACED_OPEN)
QUICK = tuple(replace(cell, seconds=cell.seconds * 0.6) for cell in (JSON_1, JSON_32, PACED_32, PACED_OPEN))


def schedule(
    targets: Sequence[str], cells: Sequence[Cell], repeats: int, order: random.Random
) -> list[tuple[int, Cell, str]]:
    """Interleave: in each repeat every cell, in random order, and in it every target, again in random order.

    Those that are compared thus stand next to one another: what else the machine does falls on all of them.
    """
    planned = []
    for repeat in range(repeats):
        for cell in order.sample(cells, len(cells)):
            planned += [(repeat, cell, target) for target in order.sample(targets, len(targets))]
    return planned
