"""What a program tells whoever started it: systemd's notification protocol, on a socket of its own."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_NOTICE_BYTES = 8192


@dataclass(frozen=True)
class Notice:
    """One datagram: whether it says that the program serves, or cannot start, and a sentence for people."""

    ready: bool = False
    failed: bool = False
    status: str = ""

    @classmethod
    def parse(cls, datagram: bytes) -> "Notice":
        """Read `KEY=value` lines; unknown keys are left out."""
        said = dict(line.partition("=")[::2] for line in datagram.decode(errors="replace").splitlines())
        return cls(said.get("READY") == "1", "ERRNO" in said, said.get("STATUS", ""))


class Notices:
    """The listening end, from construction until `close`; only its owner can reach the socket."""

    def __init__(self, path: Path, hear: Callable[[Notice], None]) -> None:
        self.path = path
        self._hear = hear
        path.unlink(missing_ok=True)  # left by a supervisor that was killed
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._socket.bind(str(path))
        path.chmod(0o600)
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def close(self) -> None:
        """Stop listening. May be called twice."""
        if self._socket.fileno() < 0:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _read(self) -> None:
        try:
            self._hear(Notice.parse(self._socket.recv(_NOTICE_BYTES)))
        except BlockingIOError:
            return
