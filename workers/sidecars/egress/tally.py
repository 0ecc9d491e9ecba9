"""The decisions on their way to the worker: never more than a few, whatever a sandbox does."""

import asyncio
from typing import Any

from signet.policy.decide import Decision
from workers.sidecars.egress.channel import Channel, Lost
from workers.sidecars.egress.target import Target

KINDS = 256
"""Different decisions that wait to be told; one more is only counted."""
_LETTERS = 512
_FIELDS = ("host", "port", "address", "binary", "method", "path", "verdict", "rule", "reason")

Key = tuple[str, int, str, str, str, str, str, str, str]


class Tally:
    """What waits to be told: each decision once, and how often. `run` tells it as fast as the worker listens."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: dict[Key, int] = {}
        self._cut = 0
        self._some = asyncio.Event()
        self._telling = asyncio.Lock()

    def note(
        self,
        decision: Decision,
        target: Target,
        *,
        address: str = "",
        shown: str = "",
        method: str = "",
        path: str = "",
    ) -> None:
        """Take a decision; a path without its query, and never a placeholder's value, stands in it."""
        key: Key = (
            target.host, target.port, address, shown[:_LETTERS], method, path.partition("?")[0][:_LETTERS],
            decision.verdict, decision.rule, decision.reason[:_LETTERS],
        )  # fmt: skip
        if key in self._waiting or len(self._waiting) < KINDS:
            self._waiting[key] = self._waiting.get(key, 0) + 1
        else:
            self._cut += 1
        self._some.set()

    async def run(self) -> None:
        """Tell the worker, until it is gone."""
        try:
            while True:
                await self._some.wait()
                self._some.clear()
                await self.flush()
        except Lost:
            return

    async def flush(self) -> None:
        """Tell all that was noted so far; it was said when this returns. Raises Lost."""
        async with self._telling:
            while self._waiting:
                key = next(iter(self._waiting))
                fields: dict[str, Any] = dict(zip(_FIELDS, key, strict=True))
                await self._channel.tell("decided", {**fields, "count": self._waiting.pop(key)})
            if self._cut:
                cut, self._cut = self._cut, 0
                await self._channel.tell("cut", {"count": cut})
