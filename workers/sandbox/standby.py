"""One sandbox ahead: a process which has all that sandboxes have in common, and waits to be told which it is."""

import os
import select
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, Self

from workers.sandbox import namespaces, wire


class Standby:
    """The zygote's side of it. `pid` is its number on the host."""

    def __init__(self, pid: int, door: socket.socket, mounts: int) -> None:
        self.pid = pid
        self._door = door
        self._mounts = mounts
        self._changes = select.poll()
        self._changes.register(mounts, select.POLLPRI)
        self._ready = select.poll()
        self._ready.register(door, select.POLLIN)

    @classmethod
    def make(cls, *, as_root: bool, wait: Callable[[socket.socket], NoReturn]) -> Self:
        """Fork one, which calls `wait` with its end of the door. SandboxUnavailable if it cannot be."""
        mounts = os.open("/proc/self/mounts", os.O_RDONLY | os.O_CLOEXEC)
        ours, theirs = wire.pair()
        try:
            with theirs:
                pid = namespaces.create(as_root=as_root)
                if pid == 0:
                    wait(theirs)
        except BaseException:
            ours.close()
            os.close(mounts)
            raise
        return cls(pid, ours, mounts)

    @property
    def ready(self) -> bool:
        """Whether it has all that it can have ahead, and can be told."""
        return self._ready.poll(0) == [(self._door.fileno(), select.POLLIN)]

    @property
    def stale(self) -> bool:
        """Whether the host's mounts have changed since, of which it has a copy."""
        return bool(self._changes.poll(0))

    def tell(self, message: Mapping[str, Any], fds: Sequence[int]) -> bool:
        """Tell it which sandbox it is, once it is ready; False if it is dead."""
        try:
            wire.receive(self._door)  # what is left unread would take with it what is sent, when the door is closed
            wire.send(self._door, message, fds)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the door, at which one that still waits ends."""
        self._door.close()
        os.close(self._mounts)

    def end(self) -> None:
        """Have it end."""
        self.close()
        os.kill(self.pid, signal.SIGKILL)
