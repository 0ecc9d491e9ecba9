"""Periods in UTC. Pure: a time goes in, and the window that it lies in comes out.

Each window has a count of its own that is kept: a clock that jumps over a border and back finds both as it left them,
and never begins one anew.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

WHOLE = "WHOLE"
DAY = "DAY"
MONTH = "MONTH"
PERIODS = (WHOLE, DAY, MONTH)

_DAY_MICROS = 86_400_000_000
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_DAY = 2_932_865  # 9999-11-30, so that every window has an end


def window(period: str, micros: int) -> str:
    """Name the window of a period that a time lies in: `2026-11-21`, `2026-11`, or empty for the whole."""
    return _day(period, micros // _DAY_MICROS)[0]


def start(period: str, micros: int) -> int:
    """Give when that window began, microseconds since 1970; 0 for the whole."""
    return _day(period, micros // _DAY_MICROS)[1]


def reset(period: str, micros: int) -> int | None:
    """Give when that window ends, microseconds since 1970; None for the whole."""
    return _day(period, micros // _DAY_MICROS)[2]


@lru_cache(maxsize=64)
def _day(period: str, day: int) -> tuple[str, int, int | None]:
    if period == WHOLE:
        return "", 0, None
    date = _FIRST + timedelta(days=min(max(day, 0), _LAST_DAY))
    if period == DAY:
        return date.strftime("%Y-%m-%d"), _micros(date), _micros(date + timedelta(days=1))
    first = date.replace(day=1)
    return first.strftime("%Y-%m"), _micros(first), _micros((first + timedelta(days=31)).replace(day=1))


def _micros(date: datetime) -> int:
    return (date - _FIRST).days * _DAY_MICROS
