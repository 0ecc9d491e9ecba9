"""What a run can leave in its sandbox that its processes do not take with them, and what pid 1 does about it."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from workers.sandbox import linux
from workers.sandbox.spec import INSIDE_UID, WORKSPACE

_IPC_RMID: Final = 0


def unlock() -> None:
    """Undo a chmod by which an agent has locked itself out of its workspace. Nothing where that is not its own."""
    with suppress(OSError):  # where it stays locked, whoever goes there next is told
        found = os.stat(WORKSPACE)  # noqa: PTH116 - on the way to every sandbox
        if found.st_uid == INSIDE_UID and found.st_mode & 0o700 != 0o700:  # noqa: PLR2004 - the owner's own bits
            Path(WORKSPACE).chmod(0o700)


def segment_bytes() -> int:
    """Add up what the shared memory segments of this ipc namespace really take, swapped or not."""
    return sum(int(fields[-2]) + int(fields[-1]) for fields in _listed("shm"))


def remove_segments() -> None:
    """Have every segment be gone as soon as no process has it attached."""
    _remove("shm", "shmctl")


def remove_shared() -> None:
    """Remove what of this ipc namespace outlives processes: segments, semaphores and message queues.

    There are no queues but those of System V: seccomp refuses the other kind.
    """
    remove_segments()
    _remove("sem", "semctl")
    _remove("msg", "msgctl")


def _remove(kind: str, control: str) -> None:
    for fields in _listed(kind):
        with suppress(OSError):  # somebody else was quicker
            linux.call(control, int(fields[1]), _IPC_RMID, _IPC_RMID)  # semctl has it as its third argument


def _listed(kind: str) -> list[list[str]]:
    """List the fields of each: the second is its number, the last two of a segment its bytes."""
    try:
        return [line.split() for line in Path("/proc/sysvipc", kind).read_text().splitlines()[1:]]
    except FileNotFoundError:  # a kernel without them
        return []
