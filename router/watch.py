"""A deadline for waits that come by the thousand: moving it costs an assignment, not a timer."""

import asyncio
from math import inf
from types import TracebackType
from typing import Self


class Watch:
    """`with watch(seconds): await …` raises TimeoutError where the wait took longer, as asyncio.timeout does.

    With `until`, a time of the loop's clock, also where it lasts beyond that; at once where that has passed.
    One timer serves all waits of one watch, one after the other: it is set anew only when it rings before its time.
    Use it from one task at a time, never nested, and `close` it in the end.
    """

    __slots__ = ("_cancelling", "_due", "_handle", "_loop", "_rang", "_task", "_until")

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[object] | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._due = inf
        self._until = inf
        self._rang = False
        self._cancelling = 0

    def __call__(self, seconds: float, until: float = inf) -> Self:
        """Set the deadline of the wait that follows. Raises TimeoutError."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        now = loop.time()
        due = now + seconds
        if due > until:
            due = until
            if due <= now:
                raise TimeoutError
        self._due = due
        self._until = until
        if self._handle is None or self._handle.when() > due:
            if self._handle is not None:
                self._handle.cancel()
            self._handle = loop.call_at(due, self._ring)
        return self

    def extend(self, seconds: float) -> None:
        """Let the wait that goes on take so long from now, never beyond its `until`."""
        if self._loop is not None:
            self._due = min(self._loop.time() + seconds, self._until)

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a watch is for tasks")
        self._task = task
        self._cancelling = task.cancelling()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._due = inf
        task, self._task = self._task, None
        if self._rang and task is not None:
            self._rang = False
            if task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def close(self) -> None:
        """Put the timer away."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        if self._task is None or self._loop is None or self._due == inf:
            return
        if self._loop.time() < self._due:
            self._handle = self._loop.call_at(self._due, self._ring)
            return
        self._rang = True
        self._task.cancel()
