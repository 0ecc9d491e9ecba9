"""The processes that share this process's group.

A command runs in the group of its tool's process, so whoever kills that group (the worker, at a cancel) takes the
command with it; and the tool ends the others of the group without ending itself.
"""

import os
import signal
import time
from pathlib import Path

ROUNDS = 100
PAUSE_SECONDS = 0.01
"""A process that is forking may need to be caught more than once."""


def lead() -> None:
    """Make this process the leader of its own group, if it is not."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)


def others() -> list[int]:
    """Return the living processes of this group, without this one."""
    own, group = os.getpid(), os.getpgrp()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == own:
            continue
        try:
            state, _, pgrp, *_ = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except (OSError, ValueError):  # it ended meanwhile
            continue
        if int(pgrp) == group and state not in "ZX":
            found.append(int(entry.name))
    return found


def kill_others() -> None:
    """Kill them until none is left."""
    for _ in range(ROUNDS):
        pids = others()
        if not pids:
            return
        tell(pids, signal.SIGKILL)
        time.sleep(PAUSE_SECONDS)


def tell(pids: list[int], number: signal.Signals) -> None:
    """Signal processes of which some may be gone."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
