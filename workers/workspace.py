"""Workspaces: a folder for each agent, owned by a host uid of the agent's own where the worker runs as root."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

FIRST_UID = 200_001
"""Uids from here on belong to agents; no account of the host should have one of them."""
LEAST_UID = 1000
"""Below it are the system's own; nothing in a sandbox runs as one of those."""


@dataclass(frozen=True)
class Workspaces:
    """The folder of workspaces. The uid of an agent is the owner of its workspace, so it outlives the worker."""

    root: Path

    def of(self, agent: str) -> tuple[Path, int | None]:
        """Give an agent's workspace, made if missing, and its host uid; None for an ordinary user. Raises OSError."""
        folder = self.root / agent
        if os.geteuid() != 0:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return folder, None
        if folder.exists():
            return folder, _owner(folder)
        uid = max([FIRST_UID - 1, *(other.stat().st_uid for other in self.root.iterdir())]) + 1
        folder.mkdir(mode=0o700)
        os.chown(folder, uid, uid)
        return folder, uid


def _owner(folder: Path) -> int:
    uid = folder.stat().st_uid
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "it is in the way of the agent's workspace")
    if uid < LEAST_UID:
        raise PermissionError(errno.EPERM, f"it belongs to uid {uid}: give it to a uid of its own, {FIRST_UID} or more")
    return uid
