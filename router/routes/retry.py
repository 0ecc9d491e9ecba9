"""What a provider says of when to come back: `retry-after` in seconds or as a date, `retry-after-ms`. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MOST_SECONDS = 3600.0
"""A target is left alone no longer, whatever it says."""


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Give seconds from now (Unix time), 0 to MOST_SECONDS; None where nothing was said that makes sense."""
    exact = _number(headers.get("retry-after-ms", ""))
    if exact is not None:
        return _bounded(exact / 1000)
    said = headers.get("retry-after", "").strip()
    seconds = _number(said)
    if seconds is not None:
        return _bounded(seconds)
    try:
        date = parsedate_to_datetime(said)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return _bounded((date - datetime.fromtimestamp(now, UTC)).total_seconds())


def _number(text: str) -> float | None:
    text = text.strip()
    if not text.isascii() or not text.replace(".", "", 1).isdigit() or len(text) > 32:  # noqa: PLR2004 - beyond sense
        return None
    return float(text)


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), MOST_SECONDS)
