"""Numbers, times and ids as people read them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

_SHORT = 13  # of a UUIDv7 these are its millisecond: enough to tell a person's runs apart

_MILLISECOND = 1_000  # all in microseconds
_SECOND = 1_000 * _MILLISECOND
_MINUTE = 60 * _SECOND
_HOUR = 60 * _MINUTE

_CENT = 10_000  # micro-USD

_KIB = 1024

_TONES: Mapping[str, str] = {
    "SUCCEEDED": "green", "READY": "green", "ENFORCED": "green",
    "FAILED": "red", "LOST": "red", "UNAVAILABLE": "red", "ABSENT": "red",
    "CANCELLED": "yellow", "DRAINING": "yellow", "PARTIAL": "yellow", "WAITING": "yellow", "STARTING": "yellow",
    "RUNNING": "cyan", "PENDING": "blue", "LOADED": "green", "APPROVED": "green", "DENIED": "red",
    "EXPIRED": "yellow", "BUSY": "cyan", "STOPPING": "yellow",
}  # fmt: skip


def toned(state: str) -> str:
    """Give a state in lower case and in its colour."""
    return click.style(state.lower() or "-", fg=_TONES.get(state))


def dim(text: str) -> str:
    """Give text that stands back."""
    return click.style(text, dim=True)


def ident(name: str) -> str:
    """Give what follows the collection."""
    return name.partition("/")[2]


def short(name: str) -> str:
    """Give the beginning of a run's or session's id, which the CLI takes wherever it takes the id."""
    return ident(name)[:_SHORT]


def shortened(names: Iterable[str]) -> dict[str, str]:
    """Give beginnings of ids that tell these names apart."""
    idents = {name: ident(name) for name in names}
    length = _SHORT
    while len({value[:length] for value in idents.values()}) < len(set(idents.values())):
        length += 1
    return {name: value[:length] for name, value in idents.items()}


def seconds(micros: float) -> str:
    """Give a duration: `850 µs`, `12 ms`, `3.4 s`, `2 min 5 s`, `3 h 4 min`."""
    if micros < _MILLISECOND:
        return f"{micros:.0f} µs"
    if micros < _SECOND - _MILLISECOND / 2:
        return f"{micros / _MILLISECOND:.0f} ms"
    if micros < _MINUTE:
        return f"{micros / _SECOND:.1f} s"
    if micros < _HOUR:
        return f"{micros // _MINUTE:.0f} min {micros % _MINUTE // _SECOND:.0f} s"
    return f"{micros // _HOUR:.0f} h {micros % _HOUR // _MINUTE:.0f} min"


def between(start: "Timestamp", end: "Timestamp") -> float:
    """Give the microseconds from one time to another."""
    return (end.ToNanoseconds() - start.ToNanoseconds()) / 1e3


def ago(moment: "Timestamp", now: datetime | None = None) -> str:
    """Give how long ago it was: `now`, `5 s ago`, `3 min ago`, `4 h ago`, `2 d ago`; `-` where it never was."""
    if not moment.ToNanoseconds():
        return "-"
    passed = ((now or datetime.now(UTC)) - moment.ToDatetime(UTC)).total_seconds()
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (float("inf"), 86_400, "d")):
        if passed < limit:
            return "now" if passed < 1 else f"{passed // unit:.0f} {name} ago"
    return "-"


def local(moment: "Timestamp") -> str:
    """Give a time by this machine's clock: `2026-11-21 14:03:22`; `-` where it never was."""
    if not moment.ToNanoseconds():
        return "-"
    return moment.ToDatetime(UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def count(number: int) -> str:
    """Give a whole number with its thousands apart."""
    return f"{number:,}".replace(",", " ")


def cost(microusd: int | None) -> str:
    """Give a cost in dollars; unknown is not zero."""
    if microusd is None:
        return "unknown"
    if microusd == 0:
        return "$0"
    return f"${microusd / 1e6:.6f}".rstrip("0") if microusd < _CENT else f"${microusd / 1e6:,.2f}"


def size(count_bytes: int) -> str:
    """Give a size: `512 B`, `4.0 KiB`, `1.2 MiB`."""
    if count_bytes < _KIB:
        return f"{count_bytes} B"
    return f"{count_bytes / _KIB:.1f} KiB" if count_bytes < _KIB**2 else f"{count_bytes / _KIB**2:.1f} MiB"
