"""Resource limits of the processes in a sandbox, from `Limits` to setrlimit and back."""

import os
import resource
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Final

from workers.sandbox.spec import Limits

_LOCKED_BYTES: Final = 1 << 20
_QUEUE_BYTES: Final = 1 << 18
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def table(limits: Limits, grouped: Collection[str] = ()) -> dict[int, int]:
    """List each kernel limit and its value (soft and hard are the same, so nobody inside can raise it).

    `grouped` are the controllers that bound the sandbox as a whole. Without memory among them, no process may have
    more than all are allowed, besides what this one, of which they are forks, has now.
    """
    space = limits.address_space_bytes
    if limits.memory_bytes and "memory" not in grouped:
        space = min(space, limits.memory_bytes + _space_now())
    return {
        # One byte, not none: only that also keeps the kernel from piping a core to a handler which is the host's root.
        resource.RLIMIT_CORE: 1,
        resource.RLIMIT_NPROC: limits.processes,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_AS: space,
        resource.RLIMIT_FSIZE: min(limits.file_bytes, limits.disk_bytes or limits.file_bytes),
        resource.RLIMIT_MEMLOCK: _LOCKED_BYTES,
        resource.RLIMIT_MSGQUEUE: _QUEUE_BYTES,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_RTPRIO: 0,
    }


def apply(limits: Limits, grouped: Collection[str] = ()) -> None:
    """Set them for this process and all it starts. Where the host's own hard limit is lower, that one stays."""
    for kind, value in table(limits, grouped).items():
        bounded = _bounded(kind, value)
        resource.setrlimit(kind, (bounded, bounded))


def in_force(limits: Limits, grouped: Collection[str] = ()) -> bool:
    """Whether this process runs under at most these limits."""
    wanted = table(limits, grouped)
    return all(0 <= hard <= value for kind, value in wanted.items() for hard in [resource.getrlimit(kind)[1]])


def _bounded(kind: int, value: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


@cache
def _space_now() -> int:
    """Ask for the address space of this process, once: it is what the limit was made from that is compared later."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE
