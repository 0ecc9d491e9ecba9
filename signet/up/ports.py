"""TCP ports of this machine: whether one can be taken, and who has it."""

import errno
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LISTENING = "0A"


@dataclass(frozen=True)
class Holder:
    """A process that listens on a port; pid 0 where it is somebody else's and cannot be seen."""

    pid: int = 0
    command: str = ""

    def __str__(self) -> str:
        """Say who."""
        return f"{self.command} (pid {self.pid})" if self.pid else "a process of another user"


def holder(port: int, host: str = "127.0.0.1") -> Holder | None:
    """Tell who has a TCP port of loopback; None where it can be taken. Raises OSError where it may not be."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return _listener(port)
    return None


def _listener(port: int) -> Holder:
    """Find the process that listens, by the inode of its socket."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                if any(str(entry.readlink()) in wanted for entry in (folder / "fd").iterdir()):
                    return Holder(int(folder.name), _command(folder))
    return Holder()


def _inodes(port: int) -> list[str]:
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    found.append(fields[9])
    return found


def _command(folder: Path) -> str:
    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    return " ".join(words).strip()[:120]
