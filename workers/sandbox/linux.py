"""The system calls that Python does not offer, by ctypes. Each raises OSError with the kernel's errno."""

import ctypes
import errno
import fcntl
import os
import resource
import signal
import socket
import struct
from typing import Final

from workers.sandbox.syscalls import machine

NEWNS: Final = 0x20000
NEWCGROUP: Final = 0x2000000
NEWUTS: Final = 0x4000000
NEWIPC: Final = 0x8000000
NEWUSER: Final = 0x10000000
NEWPID: Final = 0x20000000
NEWNET: Final = 0x40000000

PR_SET_PDEATHSIG: Final = 1
PR_GET_DUMPABLE: Final = 3
PR_SET_DUMPABLE: Final = 4
PR_SET_NAME: Final = 15
PR_SET_SECCOMP: Final = 22
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
PR_GET_NO_NEW_PRIVS: Final = 39
PR_CAP_AMBIENT: Final = 47

_CLEAR_ALL_AMBIENT: Final = 4
_CAP_VERSION_3: Final = 0x20080522
_LAST_FD: Final = 0x7FFFFFFF  # gVisor takes no more, and no descriptor has a higher number
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP_RUNNING: Final = 0x41

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
# Keeps the interpreter lock over the call, as a fork needs it.
_held = ctypes.PyDLL(None, use_errno=True)
_held.syscall.restype = ctypes.c_long


def call(name: str, *arguments: int | bytes | None) -> int:
    """Make a raw system call by its name."""
    number = machine().number(name)
    if number is None:
        raise OSError(38, f"{name}: no such call on this machine")
    return _checked(_libc.syscall(ctypes.c_long(number), *map(_word, arguments)), name)


def clone(flags: int) -> int:
    """Fork into new namespaces: 0 in the child, the child's pid in the parent.

    The only way to be the parent of the first process of a pid namespace without a process in between. Only for a
    single-threaded process, as any fork.
    """
    number = machine().number("clone")
    python = ctypes.pythonapi
    python.PyOS_BeforeFork()
    pid = int(
        _held.syscall(ctypes.c_long(number or 0), ctypes.c_ulong(flags | signal.SIGCHLD), *[ctypes.c_ulong(0)] * 4)
    )
    if pid == 0:
        python.PyOS_AfterFork_Child()
        return 0
    python.PyOS_AfterFork_Parent()
    return _checked(pid, "clone")


def unshare(flags: int) -> None:
    """Move this process into new namespaces."""
    call("unshare", flags)


def prctl(option: int, first: int | bytes = 0, second: int | bytes = 0) -> int:
    """Call prctl with at most two arguments; the others are zero, as the newer options demand."""
    zero = ctypes.c_ulong(0)
    return _checked(_libc.prctl(option, _word(first), _word(second), zero, zero), "prctl")


def close_all_but(keep: set[int]) -> None:
    """Close every file descriptor of this process which is not in `keep`."""
    first = 0
    for fd in sorted(keep):
        if fd > first:
            _close_range(first, fd - 1)
        first = fd + 1
    _close_range(first, _LAST_FD)


def _close_range(first: int, last: int) -> None:
    try:
        call("close_range", first, last, 0)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        os.closerange(first, min(last, resource.getrlimit(resource.RLIMIT_NOFILE)[1]) + 1)


def drop_bounding_capabilities() -> None:
    """Empty the bounding and the ambient set, so that no later exec can gain a capability."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # past the last capability of this kernel
            break
    prctl(PR_CAP_AMBIENT, _CLEAR_ALL_AMBIENT)


def clear_capabilities() -> None:
    """Empty the effective, permitted and inheritable sets."""
    call("capset", struct.pack("Ii", _CAP_VERSION_3, 0), bytes(24))


def bring_loopback_up() -> None:
    """Set the interface `lo` of this network namespace up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP_RUNNING))


def _word(value: int | bytes | None) -> ctypes.c_ulong | bytes | None:
    return ctypes.c_ulong(value) if isinstance(value, int) else value


def _checked(result: int, name: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
