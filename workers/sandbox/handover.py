"""What one process knows of its sandboxes, for the program that takes its place by exec."""

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from workers.sandbox.errors import SandboxUnavailable

_SOURCES: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Handover:
    """`state` is JSON, `fds` the descriptors it counts, in that order.

    They are close-on-exec: whoever execs has to make them inheritable first. All sandboxes end when they are closed.
    """

    state: dict[str, Any]
    fds: list[int]

    def close(self) -> None:
        """Close the descriptors, which ends the zygote and all its sandboxes."""
        for fd in self.fds:
            os.close(fd)

    def check(self) -> None:
        """Raise SandboxUnavailable if the zygote runs another version of these programs than this process does."""
        if self.state.get("version") != version():
            reason = "the sandboxes were opened by another version of these programs, and are closed."
            raise SandboxUnavailable(reason, layer="handover")


def version() -> str:
    """Name this state of the programs that the zygote has loaded: it changes when a file or the interpreter does."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(_SOURCES.rglob("*.py")):
        found = path.stat()
        digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    return digest.hexdigest()
