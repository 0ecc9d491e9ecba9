"""A terminal's size, carried to where the terminal really is."""

import asyncio
import pty
import struct
import termios
import tty
from collections.abc import Callable
from typing import Final

LOOK_SECONDS: Final = 0.25
"""How often a size is looked at: a change of it wakes nobody who only holds the other end."""

_SIZE: Final = struct.Struct("!HH")


def make() -> tuple[int, int]:
    """Make a terminal that changes no byte: the end for the tunnel, and the end for whoever works at it."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    return slave, master


def apply(fd: int, payload: bytes) -> None:
    """Set a size that `Watch` sent. ValueError or OSError for one that is none."""
    if len(payload) != _SIZE.size:
        raise ValueError("a size of another length")
    rows, columns = _SIZE.unpack(payload)
    termios.tcsetwinsize(fd, (rows, columns))


class Watch:
    """Looks at the size of `fd`, and calls `send` with each new one, until closed."""

    def __init__(self, fd: int, send: Callable[[bytes], None]) -> None:
        self._fd = fd
        self._send = send
        self._last = termios.tcgetwinsize(fd)
        self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        size = termios.tcgetwinsize(self._fd)
        if size != self._last:
            self._last = size
            self._send(_SIZE.pack(*size))
        self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
