"""What attacks have in common: calls of the C library, sockets that answer, and files that are read."""

import ctypes
import os
import select
import signal
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

CHANNEL: Final = 3
"""The descriptor by which what runs inside talks with its runner."""

PATIENCE_SECONDS: Final = 0.5
_PIECE: Final = 4096
Thing = TypeVar("Thing")
_libc = ctypes.CDLL(None, use_errno=True)


def libc(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Call a function of the C library that gives an int, -1 for a failure, which is raised as OSError."""
    return _called(name, ctypes.c_int, *arguments)


def libc_word(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Call a function of the C library that gives an address or a long, as `libc` does."""
    return _called(name, ctypes.c_long, *arguments)


def _called(name: str, kind: type[ctypes.c_int | ctypes.c_long], *arguments: object) -> int:
    function = getattr(_libc, name)
    function.restype = kind
    values = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(function(*values))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def connect(
    family: int, address: tuple[str, int] | str, kind: int = socket.SOCK_STREAM, protocol: int = 0
) -> socket.socket:
    """Connect, waiting a second."""
    sock = socket.socket(family, kind, protocol)
    sock.settimeout(PATIENCE_SECONDS)
    try:
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def hear(sock: socket.socket, say: str = "") -> str:
    """Say something, and give what is answered."""
    with sock:
        if say:
            sock.sendall(say.encode())
        return sock.recv(_PIECE).decode(errors="replace")


def read(path: str | Path, size: int = _PIECE) -> str:
    """Read the beginning of a file."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(fd, size).decode(errors="replace")
    finally:
        os.close(fd)


def write(path: str | Path, text: str) -> str:
    """Write to a file that is there."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        return f"wrote {os.write(fd, text.encode())} bytes to {path}"
    finally:
        os.close(fd)


def openable(path: str, flags: int = os.O_WRONLY) -> str:
    """Open and close: of what may do harm, that it could be opened is proof enough."""
    os.close(os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK))
    return f"opened {path}"


def did(function: Callable[..., object], *arguments: object) -> str:
    """Call a function that gives nothing, and say that it could be called."""
    function(*arguments)
    return f"{function.__name__}{arguments} was done"


def first(attempts: list[Callable[[], str]]) -> str:
    """Give what the first attempt that succeeds got; if none does, raise what the last met."""
    failure: OSError = OSError("nothing to try")
    for attempt in attempts:
        try:
            return attempt()
        except OSError as error:
            failure = error
    raise failure


def any_of(act: Callable[[Thing], str], things: Iterable[Thing]) -> str:
    """Give what an act got of the first thing with which it succeeds; if none, raise what the last met."""
    return first([partial(act, thing) for thing in things])


def forked(act: Callable[[], str]) -> str:
    """Do something in a child and give what it got; ChildProcessError if a signal ended it, OSError as it raised."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, b"+" + act().encode()[:_PIECE])
        except OSError as error:
            os.write(writer, b"-" + f"{error.errno} {error}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        said = answers.read().decode()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if said.startswith("+"):
        return said[1:]
    if said:
        number, _, text = said[1:].partition(" ")
        raise OSError(int(number) if number.isdigit() else 0, text)
    raise ChildProcessError(f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}")


def run(argv: list[str], *, env: dict[str, str] | None = None, seconds: float = 3.0) -> str:
    """Run a program to its end and give what it wrote; OSError if it cannot be started or ends with a failure."""
    reader, writer = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_DUP2, writer, 2)]
    try:
        child = os.posix_spawnp(argv[0], argv, {**os.environ, **(env or {})}, file_actions=actions)
    finally:
        os.close(writer)
    said = _drain(reader, seconds)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, -signal.SIGKILL):
        raise ChildProcessError(f"{argv[0]} ended with {code}: {said[:200]}")
    return said


def _drain(reader: int, seconds: float) -> str:
    pieces = []
    with os.fdopen(reader, "rb", buffering=0) as answers:
        while select.select([answers], [], [], seconds)[0] and (piece := answers.read(_PIECE)):
            pieces.append(piece)
    return b"".join(pieces).decode(errors="replace")
