"""Deadlines: the time that a caller gave is the time that the calls made on its behalf have."""

import time
from contextvars import ContextVar

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def enter(remaining_seconds: float | None) -> None:
    """Note how long the RPC that is being served may still take; None for ever."""
    _deadline.set(None if remaining_seconds is None else time.monotonic() + remaining_seconds)


def shorter(timeout_seconds: float | None) -> float | None:
    """Give the timeout for a call made now: the one asked for, or what is left of the caller's time if that is less."""
    deadline = _deadline.get()
    if deadline is None:
        return timeout_seconds
    left = max(deadline - time.monotonic(), 0.0)
    return left if timeout_seconds is None else min(timeout_seconds, left)
