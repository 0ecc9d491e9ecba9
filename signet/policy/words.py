"""Sizes and times as people write them: `2GiB`, `15m`. Both ways."""

import re

_SIZES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
          "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}  # fmt: skip
_TIMES = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_AMOUNT = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,3})?)\s?([A-Za-z]{0,3})")


def size(text: str) -> int | None:
    """Read bytes: `2GiB`, `128 MiB`, `1.5GB`, `4096`. None for what is no size."""
    return _amount(text, _SIZES)


def seconds(text: str) -> int | None:
    """Read a time: `30s`, `15m`, `1.5h`, `2d`, `90`. None for what is no time in whole seconds."""
    return _amount(text, _TIMES)


def show_size(value: int) -> str:
    """Write bytes in the largest unit that keeps them whole."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if value and value % _SIZES[unit] == 0:
            return f"{value // _SIZES[unit]}{unit}"
    return f"{value}B"


def show_seconds(value: int) -> str:
    """Write a time in the largest unit that keeps it whole."""
    for unit in ("d", "h", "m"):
        if value and value % _TIMES[unit] == 0:
            return f"{value // _TIMES[unit]}{unit}"
    return f"{value}s"


def _amount(text: str, units: dict[str, int]) -> int | None:
    match = _AMOUNT.fullmatch(text)
    if not match or match[2] not in units:
        return None
    whole, _, part = match[1].partition(".")
    thousandths = int(whole) * 1000 + int(part.ljust(3, "0") or 0)
    amount, rest = divmod(thousandths * units[match[2]], 1000)
    return None if rest else amount
