"""Wake-ups inside control: whoever waits for news of something is told that there is some, and reads it from the store.

A bell carries nothing, so a slow listener costs one flag, however much happens meanwhile.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

PENDING = "pending"
"""Rung when a run may be claimed."""

ORDERS = "orders"
"""Rung when what is in force for an agent may have changed: a policy, a grant, an answer."""

APPROVALS = "approvals"
"""Rung when an approval was asked for, answered, or is over."""

AGENTS = "agents"
"""Rung when an agent was deleted."""

TOKENS = "tokens"
"""Rung when a token was revoked."""


class Bells:
    """Bells by name, for example `runs/{run}` or `workers/{worker}`. For one event loop."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._closing = False

    @property
    def closing(self) -> bool:
        """Whether control ends: listeners should leave."""
        return self._closing

    @contextmanager
    def listen(self, *names: str) -> Iterator[asyncio.Event]:
        """Give an event that a ring of any of these sets; clear it before reading the news, then none is missed."""
        event = asyncio.Event()
        if self._closing:
            event.set()
        for name in names:
            self._listeners.setdefault(name, set()).add(event)
        try:
            yield event
        finally:
            for name in names:
                self._leave(name, event)

    def ring(self, name: str) -> None:
        """Tell all who listen to this bell."""
        for event in self._listeners.get(name, ()):
            event.set()

    def _leave(self, name: str, event: asyncio.Event) -> None:
        listeners = self._listeners[name]
        listeners.discard(event)
        if not listeners:
            del self._listeners[name]

    def close(self) -> None:
        """Tell everybody that control ends."""
        self._closing = True
        for name in tuple(self._listeners):
            self.ring(name)
