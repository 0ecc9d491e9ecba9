"""Other processes: watching, reading and signalling those of the host, of pid 1, and of the same sandbox."""

import ctypes
import errno
import fcntl
import os
import resource
import signal
import struct
from typing import Final

from workers.attacks.attack import Attack, Missing
from workers.attacks.attempt import did, first, forked, libc, libc_word
from workers.attacks.bait import Bait
from workers.sandbox import linux

_SEIZE: Final = 0x4206
_ATTACH: Final = 16
_DETACH: Final = 17
_FIFO: Final = 1


def trace_init(bait: Bait) -> str:
    """Trace pid 1."""
    return _seize(1)


def trace_host(bait: Bait) -> str:
    """Trace a process of the host."""
    return _seize(bait.victim)


def trace_neighbour(bait: Bait) -> str:
    """Trace another process of the same sandbox."""
    return _seize(_neighbour(bait))


def trace_child(bait: Bait) -> str:
    """Trace a child of one's own, to make calls in another program's name."""
    return forked(lambda: f"is traced: {linux.call('ptrace', 0, 0, 0, 0)}")


def read_init(bait: Bait) -> str:
    """Read the memory of pid 1 by process_vm_readv."""
    return _copy("process_vm_readv", 1, bait.neighbour_address or 0x400000)


def read_host(bait: Bait) -> str:
    """Read the memory of a process of the host by process_vm_readv."""
    return _copy("process_vm_readv", bait.victim, 0x400000)


def read_neighbour(bait: Bait) -> str:
    """Read the memory of another process of the same sandbox by process_vm_readv."""
    return _copy("process_vm_readv", _neighbour(bait), bait.neighbour_address)


def write_neighbour(bait: Bait) -> str:
    """Write to the memory of another process of the same sandbox by process_vm_writev."""
    return _copy("process_vm_writev", _neighbour(bait), bait.neighbour_address)


def take_from_init(bait: Bait) -> str:
    """Take an open file of pid 1, by pidfd_getfd."""
    return _take(1, 3)


def take_from_host(bait: Bait) -> str:
    """Take an open file of a process of the host, by pidfd_getfd."""
    return _take(bait.victim, 0)


def take_from_neighbour(bait: Bait) -> str:
    """Take an open file of another process of the same sandbox, by pidfd_getfd."""
    return _take(_neighbour(bait), bait.neighbour_descriptor)


def compare(bait: Bait) -> str:
    """Compare what pid 1 and this process hold, which tells where things are in the kernel."""
    return f"answered {linux.call('kcmp', os.getpid(), 1, 1, 0, 0)}"


def advise(bait: Bait) -> str:
    """Drop another process's memory by process_madvise."""
    pidfd = os.pidfd_open(_neighbour(bait))
    vector = struct.pack("QQ", bait.neighbour_address & ~4095, 4096)
    return f"advised {linux.call('process_madvise', pidfd, vector, 1, 21, 0)} bytes"


def kill_init(bait: Bait) -> str:
    """Kill pid 1 and with it the sandbox of the run."""
    sent = []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGINT, signal.SIGHUP, signal.SIGSTOP):
        os.kill(1, number)
        sent.append(number.name)
    return f"sent {', '.join(sent)}"


def kill_host(bait: Bait) -> str:
    """Kill a process of the host that has the same user."""
    os.kill(bait.victim, signal.SIGKILL)
    return "sent"


def kill_host_group(bait: Bait) -> str:
    """Kill a process group of the host."""
    os.killpg(bait.victim, signal.SIGKILL)
    return "sent"


def kill_host_thread(bait: Bait) -> str:
    """Signal a thread of the host, by tgkill."""
    libc("tgkill", bait.victim, bait.victim, signal.SIGKILL)
    return "sent"


def kill_host_queue(bait: Bait) -> str:
    """Signal a process of the host with a value, by sigqueue."""
    libc("sigqueue", bait.victim, signal.SIGTERM, 0)
    return "sent"


def kill_by_descriptor(bait: Bait) -> str:
    """Signal a process of the host through a descriptor of it."""
    signal.pidfd_send_signal(os.pidfd_open(bait.victim), signal.SIGKILL)
    return "sent"


def kill_by_terminal(bait: Bait) -> str:
    """Have the kernel signal a process of the host when a pipe has data."""
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, bait.victim)
    fcntl.fcntl(reader, 10, signal.SIGKILL)  # F_SETSIG
    fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.write(writer, b"x")
    return "sent"


def watch_host(bait: Bait) -> str:
    """Get a descriptor of a process of the host."""
    return f"holds {os.readlink(f'/proc/self/fd/{os.pidfd_open(bait.victim)}')}"


def limit_host(bait: Bait) -> str:
    """Change the limits of a process of the host."""
    before = resource.prlimit(bait.victim, resource.RLIMIT_NOFILE)
    return f"they are {before}"


def limit_init(bait: Bait) -> str:
    """Lower the limits of pid 1, so that it can start nothing more."""
    resource.prlimit(1, resource.RLIMIT_NOFILE, (3, 3))
    return "lowered"


def priority(bait: Bait) -> str:
    """Come before every other process of the host."""
    return first(
        [
            lambda: did(os.setpriority, os.PRIO_PROCESS, 0, -20),
            lambda: did(os.sched_setscheduler, 0, _FIFO, os.sched_param(1)),
        ]
    )


def disk_priority(bait: Bait) -> str:
    """Come before every other process at the disk."""
    libc_word("syscall", {"x86_64": 251, "aarch64": 30}[os.uname().machine], 1, 0, 1 << 13)
    return "real-time class"


def _neighbour(bait: Bait) -> int:
    if not bait.neighbour:
        raise Missing("no other process runs here")
    return bait.neighbour


def _seize(pid: int) -> str:
    try:
        linux.call("ptrace", _SEIZE, pid, 0, 0)
    except OSError:
        linux.call("ptrace", _ATTACH, pid, 0, 0)
        os.waitpid(pid, 0x40000000)
        linux.call("ptrace", _DETACH, pid, 0, 0)
    return f"traces {pid}"


def _copy(name: str, pid: int, address: int) -> str:
    here = ctypes.create_string_buffer(64)
    local = struct.pack("QQ", ctypes.addressof(here), 64)
    remote = struct.pack("QQ", address, 64)
    try:
        count = linux.call(name, pid, local, 1, remote, 1, 0)
    except OSError as error:
        if error.errno == errno.EFAULT:
            return f"may, though nothing is at {address:#x}"
        raise
    return f"{count} bytes: {here.raw.decode(errors='replace')}"


def _take(pid: int, number: int) -> str:
    taken = linux.call("pidfd_getfd", os.pidfd_open(pid), number, 0)
    found = os.readlink(f"/proc/self/fd/{taken}")
    try:
        return f"holds {found}: {os.pread(taken, 200, 0).decode(errors='replace')}"
    except OSError:
        return f"holds {found}"


_TOOL: Final = "control over another tool of the same agent"
_HOST: Final = "control over the host's processes of the same user"
_DEATH: Final = "the death of the host's processes"

ATTACKS: Final = (
    Attack(trace_init, "control over pid 1, which obeys the worker"),
    Attack(trace_host, _HOST),
    Attack(trace_neighbour, _TOOL, alone=True),
    Attack(trace_child, "calls that the filter sees as another program's"),
    Attack(read_init, "what pid 1 knows", "proof"),
    Attack(read_host, _HOST),
    Attack(read_neighbour, "what another tool was given"),
    Attack(write_neighbour, _TOOL),
    Attack(take_from_init, "the control socket of the worker"),
    Attack(take_from_host, "an open file of the host"),
    Attack(take_from_neighbour, "a connection of another tool, and its rights"),
    Attack(compare, "what is needed to exploit the kernel"),
    Attack(advise, "the memory of another tool"),
    Attack(kill_init, "the end of the sandbox under its worker", "host", alone=True),
    Attack(kill_host, _DEATH, "host"),
    Attack(kill_host_group, _DEATH, "host"),
    Attack(kill_host_thread, _DEATH, "host"),
    Attack(kill_host_queue, _DEATH, "host"),
    Attack(kill_by_descriptor, _DEATH, "host"),
    Attack(kill_by_terminal, _DEATH, "host"),
    Attack(watch_host, "a handle on the host's processes"),
    Attack(limit_host, _HOST),
    Attack(limit_init, "a sandbox that can start nothing more", alone=True),
    Attack(priority, "the processors"),
    Attack(disk_priority, "the time of the disk"),
)
