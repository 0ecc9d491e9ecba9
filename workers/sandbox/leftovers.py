"""What a run can leave in its sandbox when all of its processes are gone, and pid 1 does about it."""

import os
from contextlib import suppress
from pathlib import Path

from workers.sandbox.spec import INSIDE_UID, WORKSPACE


def unlock() -> None:
    """Undo a chmod by which an agent has locked itself out of its workspace. Nothing where that is not its own."""
    with suppress(OSError):  # where it stays locked, whoever goes there next is told
        found = os.stat(WORKSPACE)  # noqa: PTH116 - on the way to every sandbox
        if found.st_uid == INSIDE_UID and found.st_mode & 0o700 != 0o700:  # noqa: PLR2004 - the owner's own bits
            Path(WORKSPACE).chmod(0o700)
