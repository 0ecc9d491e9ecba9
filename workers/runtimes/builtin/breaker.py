"""Stopping a model that makes the same call over and over and gets the same failure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.runtimes.builtin.failure import RunFailed

LIMIT = 3
"""Equal failures of equal calls that end a run; after the one before, the model is warned."""


@dataclass
class Breaker:
    """Counts failures of equal calls, at most one a round: calls made at once could not learn from each other."""

    failures: dict[tuple[str, str, str], int] = field(default_factory=dict)
    this_round: set[tuple[str, str, str]] = field(default_factory=set)

    def new_round(self) -> None:
        """Begin a round."""
        self.this_round.clear()

    def note(self, tool: str, arguments: Mapping[str, Any] | str, result: str, *, is_error: bool) -> str:
        """Take a result, return what to say to the model behind it. Raises RunFailed at the limit."""
        call = (tool, arguments if isinstance(arguments, str) else json.dumps(arguments, sort_keys=True))
        if not is_error:
            self.failures = {key: count for key, count in self.failures.items() if key[:2] != call}
            return ""
        key = (*call, result)
        if key in self.this_round:
            return ""
        self.this_round.add(key)
        self.failures[key] = count = self.failures.get(key, 0) + 1
        if count >= LIMIT:
            raise RunFailed(
                "REPEATED_TOOL_FAILURE",
                f"The model called {tool} {count} times with the same arguments and got the same error: {result[:300]} "
                "Say in the request what to do instead, or give the agent another model.",
            )
        if count == LIMIT - 1:
            return (
                f"\n\nThis very call of {tool} failed the same way {count} times. Do not repeat it: change "
                "the arguments, use another way, or answer without it. Once more ends the run."
            )
        return ""
