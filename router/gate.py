"""How many calls run at a provider at once, how many wait, and what the next one is told."""

import asyncio
from collections import deque
from typing import Protocol

from router.refusal import Refusal


class Seat(Protocol):
    """Calls of one model at a provider: how many run, and how many may."""

    active: int

    @property
    def allowed(self) -> int:
        """How many may run now; it changes."""


class Gate:
    """`concurrency` calls inside, `queue` in front of it in the order they came, nobody else.

    Each model there has its own bound within (its seat's): who waits for one is passed by those who want another.
    """

    def __init__(self, name: str, *, concurrency: int, queue: int) -> None:
        self._name = name
        self._concurrency = concurrency
        self._queue = queue
        self._inside = 0
        self._waiting: deque[_Waiter] = deque()

    @property
    def concurrency(self) -> int:
        """Calls inside at most."""
        return self._concurrency

    @property
    def waiting(self) -> int:
        """Calls in front of it."""
        return len(self._waiting)

    def room(self, seat: Seat, most: int = 0) -> bool:
        """Whether a call would enter at once. `most` bounds the seat's calls further; 0 does not."""
        limit = seat.allowed
        return self._inside < self._concurrency and seat.active < (min(limit, most) if most else limit)

    async def enter(self, seat: Seat, wait_seconds: float, most: int = 0) -> None:
        """Come in, which must be followed by `leave`.

        Raises Refusal (429) when the queue is full or the wait was too long; then one is not inside.
        """
        if self.room(seat, most):
            self._take(seat)
            return
        if len(self._waiting) >= self._queue:
            raise self._full(seat, f"{len(self._waiting)} more are waiting")
        await self._wait(_Waiter(asyncio.get_running_loop().create_future(), seat, most), wait_seconds)

    def leave(self, seat: Seat) -> None:
        """Go out, and let in whoever waits and has room now."""
        self._inside -= 1
        seat.active -= 1
        if self._waiting:
            self._wake()

    async def _wait(self, waiter: "_Waiter", wait_seconds: float) -> None:
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(wait_seconds):
                await waiter.turn
        except BaseException as error:
            if waiter.turn.done() and not waiter.turn.cancelled():
                self.leave(waiter.seat)  # it was let in, and left at the same moment
            else:
                self._waiting.remove(waiter)
            if isinstance(error, TimeoutError):
                raise self._full(waiter.seat, f"none ended in {wait_seconds:g} s") from error
            raise

    def _wake(self) -> None:
        for waiter in list(self._waiting):
            if self._inside >= self._concurrency:
                return
            if not waiter.turn.done() and self.room(waiter.seat, waiter.most):
                self._waiting.remove(waiter)
                self._take(waiter.seat)
                waiter.turn.set_result(None)

    def _take(self, seat: Seat) -> None:
        self._inside += 1
        seat.active += 1

    def _full(self, seat: Seat, why: str) -> Refusal:
        calls = self._inside if self._inside >= self._concurrency else seat.active
        message = f"{self._name} is busy with {calls} calls and {why}; try again later"
        return Refusal(429, "rate_limit_exceeded", message, retry_after_seconds=1)


class _Waiter:
    """A call in the queue."""

    __slots__ = ("most", "seat", "turn")

    def __init__(self, turn: "asyncio.Future[None]", seat: Seat, most: int) -> None:
        self.turn = turn
        self.seat = seat
        self.most = most
