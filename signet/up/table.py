"""The status of a fleet as people read it."""

from collections.abc import Mapping
from typing import Any

from signet.cli.table import columns, pairs
from signet.cli.words import seconds, size, toned

_HEADERS = ("PROCESS", "STATE", "PID", "UP", "RESTARTS", "MEMORY", "DETAIL")


def status(found: Mapping[str, Any]) -> str:
    """Lay out what the supervisor answered."""
    rows = [
        (
            shown["name"],
            toned(shown["state"].upper()),
            str(shown["pid"] or "-"),
            seconds(shown["uptime_seconds"] * 1e6) if shown["pid"] else "-",
            str(shown["restarts"]),
            size(shown["pss_bytes"]),
            shown["detail"],
        )
        for shown in found["processes"]
    ]
    about = [
        ("data", found["data"]),
        ("supervisor", f"pid {found['pid']}, up {seconds(found['uptime_seconds'] * 1e6)}"),
        ("memory", f"{size(found['pss_bytes'])} in all"),
        *found["addresses"].items(),
    ]
    return f"{columns(_HEADERS, rows)}\n\n{pairs(about)}"
