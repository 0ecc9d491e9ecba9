"""How much memory processes take, as Linux counts it: each its proportional share of what it has in common."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def descendants(pid: int, parents: dict[int, int]) -> list[int]:
    """Give a process and all below it, by the parents of all processes."""
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def parents() -> dict[int, int]:
    """Give the parent of every process that can be seen."""
    found = {}
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, ValueError, IndexError):
                found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def pss_bytes(pids: Iterable[int]) -> int:
    """Add up the proportional set size of processes; those that are gone or not ours to read count as nothing."""
    total = 0
    for pid in pids:
        with suppress(OSError, ValueError):
            for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total
