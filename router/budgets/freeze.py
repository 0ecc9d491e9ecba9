"""The stop switch: whether spending is stopped, by whom, since when, and why."""

import json
from dataclasses import asdict, dataclass

from router.refusal import Refusal


@dataclass(frozen=True)
class Freeze:
    """How it is; `caller`, `reason` and `time_micros` are of the last change, empty where there was none.

    `cut`: calls that run are to end, too.
    """

    frozen: bool = False
    reason: str = ""
    caller: str = ""
    time_micros: int = 0
    cut: bool = False

    def text(self) -> str:
        """Write it as it is stored."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> "Freeze":
        """Read it. Raises ValueError or TypeError."""
        return cls(**json.loads(text))

    def refusal(self) -> Refusal:
        """Make what a call is told while spending is stopped."""
        why = f": {self.reason}" if self.reason else ""
        message = f"all spending was stopped by {self.caller}{why} (signet budget unfreeze)"
        return Refusal(402, "spending_frozen", message)
