"""The filter as a table of calls and verdicts, run by an interpreter of the few instructions it is made of."""

import errno
import socket
import struct

import pytest

from workers.sandbox import linux
from workers.sandbox.seccomp import DENIED, MEMFD, program
from workers.sandbox.syscalls import AARCH64, X86_64, Machine

ALLOW, KILL = 0x7FFF0000, 0x80000000


def refuse(code: int) -> int:
    return 0x00050000 | code


def run(code: bytes, number: int, audit: int, arguments: tuple[int, ...] = ()) -> int:
    """Do what the kernel would do with a call."""
    data = struct.pack("<IIQ6Q", number, audit, 0, *(*arguments, *(0,) * (6 - len(arguments))))
    rules: list[tuple[int, int, int, int]] = list(struct.iter_unpack("HBBI", code))
    position = accumulator = 0
    while True:
        operation, if_true, if_false, value = rules[position]
        position += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif operation == 0x54:
            accumulator &= value
        elif operation == 0x06:
            return value
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[operation]
            position += if_true if holds else if_false


def verdict(machine: Machine, call: str, *arguments: int) -> int:
    number = machine.number(call)
    assert number is not None
    return run(program(machine), number, machine.audit, arguments)


BOTH = pytest.mark.parametrize("machine", [X86_64, AARCH64], ids=lambda machine: machine.name)


def test_the_dangerous_calls_are_denied() -> None:
    dangerous = {
        *("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "bpf", "perf_event_open"),
        *("userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "mount", "umount2", "pivot_root"),
        *("move_mount", "open_tree", "fsopen", "fsmount", "mount_setattr", "setns", "unshare", "chroot", "keyctl"),
        *("add_key", "request_key", "open_by_handle_at", "name_to_handle_at", "init_module", "finit_module"),
        *("kexec_load", "kexec_file_load", "reboot", "swapon", "syslog", "personality", "quotactl", "memfd_secret"),
        *("clock_settime", "settimeofday", "fanotify_init", "iopl", "ioperm", "sethostname", "process_madvise"),
    }
    assert dangerous <= set(DENIED)


@BOTH
def test_every_denied_call_is_refused(machine: Machine) -> None:
    for call in DENIED:
        if machine.number(call) is not None:
            assert verdict(machine, call) == refuse(errno.EPERM), call
    assert verdict(machine, "clone3") == refuse(errno.ENOSYS)


@BOTH
def test_a_file_in_memory_is_denied_where_it_is_asked_for_and_nothing_else_changes(machine: Machine) -> None:
    number = machine.number(MEMFD)
    assert number is not None
    assert run(program(machine, False), number, machine.audit) == refuse(errno.EPERM)
    assert run(program(machine), number, machine.audit) == ALLOW
    for call in DENIED:
        if (denied := machine.number(call)) is not None:
            assert run(program(machine, False), denied, machine.audit) == refuse(errno.EPERM), call


@BOTH
def test_every_other_call_is_allowed(machine: Machine) -> None:
    code = program(machine)
    special = {machine.number(call) for call in (*DENIED, "clone3")}
    for number in range(600):
        if number not in special:
            expected = ALLOW
            if number == machine.number("socketpair"):
                expected = refuse(errno.EAFNOSUPPORT)  # of family 0
            if number == machine.number("socket"):
                expected = refuse(errno.EAFNOSUPPORT)
            assert run(code, number, machine.audit) == expected, number


@BOTH
def test_calls_of_another_machine_kill(machine: Machine) -> None:
    other = AARCH64 if machine is X86_64 else X86_64
    for audit in (other.audit, 0x40000003, 0):  # the other, 32-bit x86, nonsense
        assert run(program(machine), 0, audit) == KILL


def test_the_x32_table_kills() -> None:
    for number in (0x40000000, 0x40000000 | 39, 0xFFFFFFFF):
        assert run(program(X86_64), number, X86_64.audit) == KILL


@BOTH
def test_clone_makes_processes_and_threads_but_no_namespaces(machine: Machine) -> None:
    assert verdict(machine, "clone", 17) == ALLOW
    assert verdict(machine, "clone", 0x3D0F00) == ALLOW  # what a thread is made with
    for flag in (linux.NEWNS, linux.NEWCGROUP, linux.NEWUTS, linux.NEWIPC, linux.NEWUSER, linux.NEWPID, linux.NEWNET):
        assert verdict(machine, "clone", 17 | flag) == refuse(errno.EPERM)


@BOTH
def test_terminals_take_no_injected_input(machine: Machine) -> None:
    for request in (0x5412, 0x541C):
        assert verdict(machine, "ioctl", 0, request) == refuse(errno.EPERM)
        # The kernel looks at the low half alone, and so must the filter.
        assert verdict(machine, "ioctl", 0, request | 1 << 32) == refuse(errno.EPERM)
    assert verdict(machine, "ioctl", 0, 0x5401) == ALLOW


@BOTH
def test_sockets_of_few_families_are_allowed(machine: Machine) -> None:
    allowed = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}
    for family in range(64):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_STREAM | socket.SOCK_CLOEXEC):
            expected = ALLOW if family in allowed else refuse(errno.EAFNOSUPPORT)
            assert verdict(machine, "socket", family, kind, 0) == expected, family
    for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6):
        for kind in (socket.SOCK_RAW, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 10):
            assert verdict(machine, "socket", family, kind, 0) == refuse(errno.EPERM)
    assert verdict(machine, "socket", socket.AF_UNIX, socket.SOCK_SEQPACKET, 0) == ALLOW
    assert verdict(machine, "socket", socket.AF_NETLINK, socket.SOCK_RAW, 0) == ALLOW
    assert verdict(machine, "socket", socket.AF_NETLINK, socket.SOCK_RAW, 4) == refuse(errno.EPERM)
    assert verdict(machine, "socketpair", socket.AF_UNIX, socket.SOCK_STREAM) == ALLOW
    assert verdict(machine, "socketpair", 30, socket.SOCK_STREAM) == refuse(errno.EAFNOSUPPORT)


@BOTH
def test_of_the_internet_only_tcp_and_udp_are_allowed(machine: Machine) -> None:
    for family in (socket.AF_INET, socket.AF_INET6):
        for protocol in range(300):
            expected = ALLOW if protocol in {0, 6, 17} else refuse(errno.EPROTONOSUPPORT)
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC):
                assert verdict(machine, "socket", family, kind, protocol) == expected, protocol
        for kind in (socket.SOCK_RDM, socket.SOCK_SEQPACKET, 6):  # the last two: SCTP and DCCP, whatever is asked for
            assert verdict(machine, "socket", family, kind, 0) == refuse(errno.ESOCKTNOSUPPORT)


@BOTH
def test_a_process_sets_and_reads_no_limits_but_its_own(machine: Machine) -> None:
    assert verdict(machine, "prlimit64", 0, 7, 0, 0) == ALLOW
    for pid in (1, 2, 0xFFFFFFFF):
        assert verdict(machine, "prlimit64", pid, 7, 0, 0) == refuse(errno.EPERM)


@BOTH
def test_the_filter_is_small_enough_for_the_kernel(machine: Machine) -> None:
    assert len(program(machine)) // 8 < 4096
