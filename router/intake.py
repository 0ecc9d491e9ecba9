"""An answer's body as it is read: within its deadlines, and no more of it than was allowed."""

import time
from collections.abc import Callable

from router.options import Deadlines
from router.refusal import provider_error
from router.watch import Watch
from router.wire import Answer, Fault, WireError

_TICK = 0.01  # timers may ring a little early


class Intake:
    """Reads one answer. `until`, by the monotonic clock, is when the whole call is late; `limit` is in bytes.

    All of it raises WireError, TimeoutError where the whole call is late, and Refusal for an answer that is too large.
    """

    __slots__ = ("_answer", "_deadlines", "_limit", "_seconds", "_size", "_until", "_watch")

    def __init__(self, answer: Answer, watch: Watch, deadlines: Deadlines, until: float, limit: int) -> None:
        self._answer = answer
        self._watch = watch
        self._deadlines = deadlines
        self._until = until
        self._limit = limit
        self._size = 0
        self._seconds = deadlines.first_byte_seconds

    async def next(self) -> bytes:
        """Give the next piece; b"" at the end."""
        try:
            with self._watch(self._seconds, self._until):
                piece = await self._answer.read()
        except TimeoutError as error:
            raise self._late(error) from error
        self._count(piece)
        return piece

    async def whole(self) -> bytes:
        """Give all of it."""
        body = bytearray()
        while piece := await self.next():
            body += piece
        return bytes(body)

    async def flow(self, take: Callable[[bytes], bool]) -> None:
        """Have each piece taken in the moment in which it comes, with no task woken for it.

        Until `take` says False, or nothing more comes, of which `next` tells. Raises what `take` raises, too.
        """

        def counted(piece: bytes) -> bool:
            self._count(piece)
            self._watch.extend(self._seconds)
            return take(piece)

        try:
            with self._watch(self._seconds, self._until):
                await self._answer.flow(counted)
        except TimeoutError as error:
            raise self._late(error) from error

    def _count(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise provider_error(f"the answer is larger than {self._limit} bytes")
        self._seconds = self._deadlines.idle_seconds

    def _late(self, error: TimeoutError) -> Exception:
        """Tell a provider that is silent from a call that takes too long."""
        if time.monotonic() >= self._until - _TICK:
            return error
        return WireError(Fault.TIMEOUT, f"it sent nothing for {self._seconds:g} s")
