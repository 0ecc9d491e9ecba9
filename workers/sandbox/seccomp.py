"""The seccomp filter: all is allowed but a written list. `program` is pure; `install` puts it in force for good."""

import ctypes
import errno
import socket
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from workers.sandbox import linux
from workers.sandbox.syscalls import Machine, machine

# What a program in a sandbox has no business with: other processes' memory, the host's clock, kernel, keys and mounts,
# and the parts of the kernel with the largest attack surface. And queues that outlive processes, which under Landlock
# can be made, but not opened.
DENIED: Final = (
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd", "memfd_secret"),
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("mount", "umount2", "pivot_root", "move_mount", "open_tree", "open_tree_attr", "mount_setattr", "chroot"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "name_to_handle_at", "open_by_handle_at", "fanotify_init"),
    *("setns", "unshare", "sethostname", "setdomainname", "personality", "vhangup", "lsm_set_self_attr"),
    *("keyctl", "add_key", "request_key", "quotactl", "quotactl_fd", "swapon", "swapoff", "acct", "reboot", "syslog"),
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "create_module"),
    *("query_module", "get_kernel_syms", "lookup_dcookie", "nfsservctl", "uselib", "ustat", "sysfs", "_sysctl"),
    *("settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "iopl", "ioperm", "modify_ldt"),
    *("mbind", "set_mempolicy", "set_mempolicy_home_node", "get_mempolicy", "migrate_pages", "move_pages"),
    "mq_open",
)
# Makes a file in memory. No mount and no Landlock rule stands before its execution, and it is no process's memory.
MEMFD: Final = "memfd_create"
NAMESPACE_FLAGS: Final = (
    linux.NEWNS
    | linux.NEWCGROUP
    | linux.NEWUTS
    | linux.NEWIPC
    | linux.NEWUSER
    | linux.NEWPID
    | linux.NEWNET
    | 0x80  # NEWTIME
)
TERMINAL_INJECTIONS: Final = (0x5412, 0x541C)  # TIOCSTI types for the user; TIOCLINUX pastes
FAMILIES: Final = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
# Of the internet: what Landlock's rules of ports know, and UDP. Others, such as multipath TCP and SCTP, they overlook;
# a type that is not one of these two has such a protocol for its own.
TYPES: Final = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
PROTOCOLS: Final = (0, socket.IPPROTO_TCP, socket.IPPROTO_UDP)

_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_KILL: Final = 0x80000000
_LOAD, _JEQ, _JGE, _JSET, _RET, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_X32_BIT: Final = 0x40000000
_TYPE_MASK: Final = 0xF
_SOCK_PACKET: Final = 10
_FILTER_MODE: Final = 2


@cache
def program(target: Machine, memfd: bool = True) -> bytes:  # noqa: FBT001, FBT002 - a cache tells names and places apart
    """Assemble the filter of a machine, as an array of struct sock_filter; MEMFD is denied besides if not `memfd`."""
    code = [*_load(_ARCH), *_unless_equal(target.audit, _KILL), *_load(_NUMBER)]
    if target.x32:
        code += [_op(_JGE, _X32_BIT, 0, 1), _op(_RET, _KILL)]
    for name in (*DENIED, *(() if memfd else (MEMFD,))):
        code += _deny(target.number(name), errno.EPERM)
    # ENOSYS, so that the C library falls back to clone, whose flags a filter can read; clone3's are in memory.
    code += _deny(target.number("clone3"), errno.ENOSYS)
    code += _when(target.number("clone"), [*_argument(0), _op(_JSET, NAMESPACE_FLAGS, 0, 1), *_refuse(errno.EPERM)])
    code += _when(target.number("ioctl"), [*_argument(1), *_refuse_any(TERMINAL_INJECTIONS, errno.EPERM)])
    code += _when(
        target.number("socketpair"), [*_argument(0), *_unless_equal(socket.AF_UNIX, _ERRNO | errno.EAFNOSUPPORT)]
    )
    code += _when(target.number("socket"), _socket())
    # Nobody else's limits, above all not pid 1's, whose user is the same.
    code += _when(target.number("prlimit64"), [*_argument(0), *_unless_equal(0, _ERRNO | errno.EPERM)])
    return b"".join([*code, _op(_RET, _ALLOW)])


def install(*, memfd: bool = True) -> None:
    """Put the filter in force for this process and all it starts; OSError where the kernel has no filters."""
    code = program(machine(), memfd)
    buffer = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    linux.prctl(linux.PR_SET_SECCOMP, _FILTER_MODE, head)


def _socket() -> list[bytes]:
    """Local and internet stream and datagram sockets; of netlink only the list of interfaces and addresses."""
    netlink = [*_argument(2), *_unless_equal(0, _ERRNO | errno.EPERM), _op(_RET, _ALLOW)]
    code = [*_argument(0), _op(_JEQ, socket.AF_NETLINK, 0, len(netlink)), *netlink]
    for left, family in zip(reversed(range(len(FAMILIES))), FAMILIES, strict=True):
        code.append(_op(_JEQ, family, left + 1, 0))
    code += _refuse(errno.EAFNOSUPPORT)
    kind = [*_argument(1), _op(_AND, _TYPE_MASK)]
    code += [*kind, *_refuse_any((socket.SOCK_RAW, _SOCK_PACKET), errno.EPERM)]
    code += [*_argument(0), _op(_JEQ, socket.AF_UNIX, 0, 1), _op(_RET, _ALLOW)]
    code += [*kind, *_unless_any(TYPES, errno.ESOCKTNOSUPPORT)]
    return [*code, *_argument(2), *_unless_any(PROTOCOLS, errno.EPROTONOSUPPORT)]


def _deny(number: int | None, code: int) -> list[bytes]:
    return _when(number, _refuse(code), reload=False)


def _when(number: int | None, body: list[bytes], *, reload: bool = True) -> list[bytes]:
    """`body` if the call is this one. What falls through the body goes on with the call's number loaded again."""
    if number is None:
        return []
    whole = [*body, *_load(_NUMBER)] if reload else body
    return [_op(_JEQ, number, 0, len(whole)), *whole]


def _argument(index: int) -> list[bytes]:
    """Load the low half of an argument: the kernel reads no more than an int of those we look at."""
    return _load(_ARGUMENTS + 8 * index)


def _refuse_any(values: Iterable[int], code: int) -> list[bytes]:
    return [part for value in values for part in (_op(_JEQ, value, 0, 1), *_refuse(code))]


def _unless_any(values: Sequence[int], code: int) -> list[bytes]:
    return [
        *(_op(_JEQ, value, left, 0) for left, value in zip(range(len(values), 0, -1), values, strict=True)),
        *_refuse(code),
    ]


def _refuse(code: int) -> list[bytes]:
    return [_op(_RET, _ERRNO | code)]


def _unless_equal(value: int, action: int) -> list[bytes]:
    return [_op(_JEQ, value, 1, 0), _op(_RET, action)]


def _load(offset: int) -> list[bytes]:
    return [_op(_LOAD, offset)]


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
