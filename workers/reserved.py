"""Folders of the host that no policy may show: what is in them is Signet's own, its keys and tokens among it."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from signet.policy.model import Filesystem
from workers.sandbox.errors import SandboxUnavailable

_HINT = "Name another folder: signet policy apply"


@dataclass(frozen=True, slots=True)
class Reserved:
    """The data home, and where its sockets are."""

    folders: Sequence[Path] = ()

    def check(self, folders: Filesystem, workspace: Path) -> None:
        """Raise SandboxUnavailable where a policy names one of these, what is in it, or a folder that it is in.

        The agent's own workspace may be named. Links and mounts are followed: a folder is what it is, not what it is
        called.
        """
        for key, paths in (("read_only", folders.read_only), ("read_write", folders.read_write)):
            for path in map(Path, paths):
                for own in self.folders:
                    if trouble := _trouble(path, own, workspace):
                        reason = f"filesystem.{key} names {path}, and {trouble}: no sandbox is shown that."
                        raise SandboxUnavailable(reason, layer="filesystem", hint=_HINT)


def _trouble(path: Path, own: Path, workspace: Path) -> str:
    above = set(_chain(path))
    if _identity(own) in above and _identity(workspace) not in above:
        return f"that is in {own}, Signet's own folder"
    return f"{own}, Signet's own folder, is in it" if _identity(path) in _chain(own) else ""


def _chain(path: Path) -> Iterator[object]:
    real = Path(os.path.realpath(path))
    return map(_identity, (real, *real.parents))


def _identity(path: Path) -> object:
    """Give what two names of one folder have in common; the name itself where there is none."""
    try:
        status = path.stat()
    except OSError:
        return path
    return status.st_dev, status.st_ino
