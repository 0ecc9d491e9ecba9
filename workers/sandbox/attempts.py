"""What the probe tries from inside. Each raises OSError if it is refused, and leaves nothing behind if not."""

import errno
import mmap
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

DISCARD: Final = 9


def refused(attempt: Callable[[], object], expected: set[int] | None = None) -> bool:
    """Whether an attempt fails, with one of these errors if any are given."""
    try:
        attempt()
    except OSError as error:
        return expected is None or error.errno in expected
    return False


def write_to(folder: str) -> None:
    """Open an unnamed file there, or see by its mode that one could, where the file system has none."""
    if not Path(folder).is_dir():
        os.close(os.open(folder, os.O_WRONLY))
        return
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600))
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP or not os.access(folder, os.W_OK):
            raise


def create(folder: str) -> None:
    """Make a file there."""
    path = f"{folder}/.probe-{os.getpid()}"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    os.unlink(path)  # noqa: PTH108 - a string is quicker, and this is on the way to every sandbox


def make_pipe() -> None:
    """Make a named pipe in shared memory, which only Landlock forbids."""
    path = f"/dev/shm/.probe-{os.getpid()}"  # noqa: S108 - the sandbox's own
    os.mkfifo(path)
    os.unlink(path)  # noqa: PTH108 - as above


def route(family: socket.AddressFamily, address: str) -> None:
    """Find a way to an address; nothing is sent."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((address, DISCARD))


def connect(port: int) -> None:
    """Connect to a port of this network where nobody listens."""
    with socket.socket() as sock:
        sock.connect(("127.0.0.1", port))


def bind(port: int) -> None:
    """Take a port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", port))


def greet(name: str) -> None:
    """Connect to an abstract socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("\0" + name)


def execute(folder: str) -> None:
    """Execute an unnamed file there. It is no program, so if it may be executed that fails with ETXTBSY or ENOEXEC."""
    fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o700)
    try:
        os.posix_spawn(f"/proc/self/fd/{fd}", ["probe"], {})
    finally:
        os.close(fd)


def map_executable(folder: str) -> None:
    """Map an unnamed file there so that it could be executed, as the loader does with a library."""
    fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o700)
    try:
        os.write(fd, b"x")
        mmap.mmap(fd, 1, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()
    finally:
        os.close(fd)


def remember() -> None:
    """Make a file in memory, where no mount and no rule stands before it."""
    os.close(os.memfd_create("probe"))
