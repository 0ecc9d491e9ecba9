"""A terminal in a sandbox: pid 1 makes the pair in the sandbox's own devpts, the worker holds the master."""

import fcntl
import os
import struct
import termios
from dataclasses import dataclass
from typing import Final

_SIZES: Final = range(1, 1 << 16)
_GET_NUMBER: Final = 0x80045430  # TIOCGPTN


@dataclass(frozen=True, slots=True)
class Terminal:
    """The size of a terminal in characters, 1 to 65535 each."""

    rows: int
    columns: int

    def __post_init__(self) -> None:
        if self.rows not in _SIZES or self.columns not in _SIZES:
            raise ValueError(f"a terminal of {self.rows} rows and {self.columns} columns; each has to be 1 to 65535.")


def make(size: Terminal) -> tuple[list[int], str]:
    """Make a pair where this process is: master and slave, which are the caller's, and the slave's path."""
    master, slave = os.openpty()
    try:
        resize(master, size)
        (number,) = struct.unpack("I", fcntl.ioctl(master, _GET_NUMBER, bytes(4)))
    except BaseException:
        os.close(master)
        os.close(slave)
        raise
    return [master, slave], f"/dev/pts/{number}"


def resize(fd: int, size: Terminal) -> None:
    """Set the size, of which the processes in its foreground are told by SIGWINCH."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))


def control(fd: int) -> None:
    """Make the terminal at `fd` the controlling one of this process, which leads its session."""
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
