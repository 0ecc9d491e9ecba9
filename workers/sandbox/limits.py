"""Resource limits of the processes in a sandbox, from `Limits` to setrlimit and back."""

import resource
from typing import Final

from workers.sandbox.spec import Limits

_LOCKED_BYTES: Final = 1 << 20
_QUEUE_BYTES: Final = 1 << 18


def table(limits: Limits) -> dict[int, int]:
    """List each kernel limit and its value (soft and hard are the same, so nobody inside can raise it)."""
    return {
        # One byte, not none: only that also keeps the kernel from piping a core to a handler which is the host's root.
        resource.RLIMIT_CORE: 1,
        resource.RLIMIT_NPROC: limits.processes,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_AS: limits.address_space_bytes,
        resource.RLIMIT_FSIZE: min(limits.file_bytes, limits.disk_bytes or limits.file_bytes),
        resource.RLIMIT_MEMLOCK: _LOCKED_BYTES,
        resource.RLIMIT_MSGQUEUE: _QUEUE_BYTES,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_RTPRIO: 0,
    }


def apply(limits: Limits) -> None:
    """Set them for this process and all it starts. Where the host's own hard limit is lower, that one stays."""
    for kind, value in table(limits).items():
        bounded = _bounded(kind, value)
        resource.setrlimit(kind, (bounded, bounded))


def in_force(limits: Limits) -> bool:
    """Whether this process runs under at most these limits."""
    return all(0 <= hard <= value for kind, value in table(limits).items() for hard in [resource.getrlimit(kind)[1]])


def _bounded(kind: int, value: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)
