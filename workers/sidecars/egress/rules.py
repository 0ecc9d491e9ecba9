"""What is in force now: decisions by it, and its replacement, after which what is no longer let through is closed."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from signet.policy import decide
from signet.policy.decide import Attempt, Decision
from workers.sidecars.egress.order import Order
from workers.sidecars.egress.passage import Passage

CLOSED = "closed by policy"
_NOTHING = Decision("deny", "default", "no policy is in force yet")
_DARK = Decision("deny", "default", "its requests have to be looked into now, and it was opened without")


class Rules:
    """The order in force and the passages under it. `closed` is told of every passage that is closed, and why."""

    def __init__(self, closed: Callable[[Passage, Decision], None]) -> None:
        self.order: Order | None = None
        self.passages: set[Passage] = set()
        self._closed = closed
        self._changed = asyncio.Event()
        self._expiry: asyncio.TimerHandle | None = None

    def connection(self, attempt: Attempt) -> Decision:
        """Decide a connection before its host is resolved. The platform's own ports are refused to every policy."""
        order = self.order
        if order is None:
            return _NOTHING
        if attempt.port in order.ports:
            return Decision("deny", "platform.ports", f"port {attempt.port} is one of the platform's own")
        return decide.connection(order.policy, order.grants, attempt, time.time())

    def address(self, decision: Decision, host: str, address: str) -> Decision:
        """Decide where it leads to."""
        return decide.address(self.order.policy, decision, host, address) if self.order else _NOTHING

    def request(self, decision: Decision, method: str, path: str) -> Decision:
        """Decide one request of a connection."""
        return decide.request(self.order.policy, decision, method, path) if self.order else _NOTHING

    async def changed(self) -> None:
        """Wait until something else is in force."""
        await self._changed.wait()

    def put(self, order: Order) -> int:
        """Put an order in force at once; how many passages were closed for it."""
        self.order = order
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        return self._review()

    def close(self) -> None:
        """Look at nothing any more."""
        if self._expiry:
            self._expiry.cancel()

    def _review(self) -> int:
        """Decide every passage anew; how many were closed. It is done again when the next grant ends."""
        refused = [(passage, decision) for passage in self.passages if not (decision := self._again(passage)).passes]
        for passage, decision in refused:
            self.passages.discard(passage)
            self._closed(passage, decision)
            passage.task.cancel(CLOSED)
        self.close()
        ends = [grant.expires for grant in self.order.grants if grant.expires] if self.order else []
        ahead = [end - time.time() for end in ends if end > time.time()]
        if ahead:
            self._expiry = asyncio.get_running_loop().call_later(min(ahead) + 0.01, self._review)
        return len(refused)

    def _again(self, passage: Passage) -> Decision:
        decision = self.connection(passage.attempt)
        if decision.passes:
            decision = self.address(decision, passage.target.host, passage.address)
        if not decision.passes:
            return decision
        if decision.inspect and not passage.looked:
            return replace(_DARK, rule=decision.rule)
        passage.decision = decision
        return self.request(decision, *passage.request) if passage.request else decision
