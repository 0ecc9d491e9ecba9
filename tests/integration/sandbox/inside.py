"""What the tests run inside a sandbox, and as sidecars. Findings go to standard output as JSON."""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers.sandbox import linux
from workers.sandbox.namespaces import NAMES

_TIOCSTI = 0x5412


def tell(finding: Any) -> None:
    """Write a finding for `ask`."""
    os.write(1, json.dumps(finding).encode())


def outcome(attempt: Callable[[], object]) -> str:
    """Name the errno an attempt failed with, or what it gave."""
    try:
        return f"succeeded: {attempt()!r}"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, type(error).__name__)


def calls() -> None:
    """Try what no program in a sandbox may do."""
    tell(
        {
            "ptrace": outcome(lambda: linux.call("ptrace", 0, 0, 0, 0)),
            "mount": outcome(lambda: linux.call("mount", b"none", b"/tmp", b"tmpfs", 0, None)),
            "umount": outcome(lambda: linux.call("umount2", b"/proc", 2)),
            "unshare user": outcome(lambda: linux.unshare(linux.NEWUSER)),
            "unshare nothing": outcome(lambda: linux.unshare(0)),
            "clone user": outcome(lambda: linux.clone(linux.NEWUSER)),
            "clone3": outcome(lambda: linux.call("clone3", None, 0)),
            "setns": outcome(lambda: linux.call("setns", os.open("/proc/self/ns/net", os.O_RDONLY), 0)),
            "io_uring": outcome(lambda: linux.call("io_uring_setup", 8, bytes(200))),
            "bpf": outcome(lambda: linux.call("bpf", 0, None, 0)),
            "perf": outcome(lambda: linux.call("perf_event_open", None, 0, 0, 0, 0)),
            "userfaultfd": outcome(lambda: linux.call("userfaultfd", 0)),
            "keyctl": outcome(lambda: linux.call("keyctl", 0, 0, 0)),
            "process_vm": outcome(lambda: linux.call("process_vm_readv", os.getpid(), None, 0, None, 0, 0)),
            "raw socket": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
            "packet socket": outcome(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)),
            "multipath TCP": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)),
            "SCTP": outcome(lambda: socket.socket(socket.AF_INET6, socket.SOCK_SEQPACKET)),
            "ping": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1)),
            "vsock": outcome(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)),
            "netlink diag": outcome(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)),
            "chroot": outcome(lambda: os.chroot("/usr")),
            "setuid": outcome(lambda: os.setuid(0)),
            "setgroups": outcome(lambda: os.setgroups([0])),
            "mknod": outcome(lambda: os.mknod("/workspace/disk", 0o60600, os.makedev(254, 0))),
            "sethostname": outcome(lambda: socket.sethostname("other")),
            "core of init": outcome(lambda: os.open("/proc/1/mem", os.O_RDONLY)),
            "environment of init": outcome(lambda: os.open("/proc/1/environ", os.O_RDONLY)),
            "descriptors of init": outcome(lambda: list(Path("/proc/1/fd").iterdir())),
            "root of init": outcome(lambda: list(Path("/proc/1/root").iterdir())),
            "core_pattern": outcome(lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)),
            "sysrq": outcome(lambda: os.open("/proc/sysrq-trigger", os.O_WRONLY)),
            "own memory": outcome(lambda: os.open("/proc/self/mem", os.O_RDWR)),
            "limits of init": outcome(lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (3, 3))),
            "raise a limit": outcome(lambda: resource.prlimit(0, resource.RLIMIT_NOFILE, (4096, 4096))),
        }
    )


def injection() -> None:
    """Type into an own terminal as if the user had, which TIOCSTI is for."""
    _, slave = os.openpty()
    tell(outcome(lambda: fcntl.ioctl(slave, _TIOCSTI, b"x")))


def x32() -> None:
    """Make a call of the x32 table in a child; how that ended."""
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 | 39))
        os._exit(0)
    tell(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def identity() -> None:
    """Who and where this process is."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    tell(
        {
            "uid": os.getresuid(),
            "gid": os.getresgid(),
            "host": socket.gethostname(),
            "map": Path("/proc/self/uid_map").read_text().split(),
            "namespaces": {name: str(Path("/proc/self/ns", name).readlink()) for name in NAMES},
            "capabilities": {name: int(status[name], 16) for name in status if name.startswith("Cap")},
            "no_new_privs": status["NoNewPrivs"].strip(),
            "seccomp": status["Seccomp"].strip(),
            "dumpable": linux.prctl(linux.PR_GET_DUMPABLE),
            "limits": {
                name: resource.getrlimit(getattr(resource, name))
                for name in ("RLIMIT_CORE", "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_FSIZE")
            },
        }
    )


def surroundings() -> None:
    """Environment, open descriptors and session of this process."""
    fds = _open_descriptors()
    tell(
        {
            "env": dict(os.environ),
            "fds": fds,
            "session": os.getsid(0) == os.getpid() == os.getpgid(0),
            "argv": sys.argv,
            "interrupt": signal.getsignal(signal.SIGINT) is signal.SIG_DFL,
        }
    )


def ways_out() -> None:
    """Try to reach something outside by every kind of socket; HOST_PORT and HOST_NAME are what the host listens on."""
    port, name = int(os.environ["HOST_PORT"]), os.environ["HOST_NAME"]
    tell(
        {
            "outside tcp": outcome(lambda: socket.create_connection(("192.0.2.1", port), 2)),
            "outside udp": outcome(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", port))),
            "outside v6": outcome(
                lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", ("2001:db8::1", port))
            ),
            "host loopback": outcome(lambda: socket.create_connection(("127.0.0.1", port), 2)),
            "host abstract": outcome(lambda: socket.socket(socket.AF_UNIX).connect("\0" + name)),
            "listen": outcome(lambda: socket.create_server(("127.0.0.1", port))),
            "names": outcome(lambda: socket.getaddrinfo("example.com", 80)),
            "interfaces": [interface for _, interface in socket.if_nameindex()],
        }
    )


def converse() -> None:
    """Say hello to inference.local and tell what it says."""
    with socket.create_connection(("inference.local", 80), 5) as sock:
        sock.sendall(b"hello from inside")
        sock.shutdown(socket.SHUT_WR)
        tell(sock.makefile("rb").read().decode())


def serve() -> None:
    """Listen on PORT and talk to oneself."""
    address = ("127.0.0.1", int(os.environ["PORT"]))
    with socket.create_server(address) as server, socket.create_connection(address) as client:
        client.sendall(b"to myself")
        tell(server.accept()[0].recv(100).decode())


def fork_until_refused() -> None:
    """Fork sleeping children until the limit is met; how many there were."""
    count = 0
    while True:
        try:
            child = os.fork()
        except OSError:
            break
        if child == 0:
            os.close(1)
            os.close(2)
            signal.pause()
        count += 1
    tell(count)


def orphans() -> None:
    """Leave ten processes without a parent, which end at once."""
    for _ in range(10):
        if os.fork() == 0:
            if os.fork() == 0:
                os._exit(0)
            os._exit(0)
    for _ in range(10):
        os.wait()
    tell(os.getpid())


def daemons() -> None:
    """Leave processes in sessions of their own that do not mean to end, then end."""
    ready, told = os.pipe()
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.close(1)
            os.close(2)
            os.write(told, b".")
            signal.pause()
    seen = 0
    while seen < 3:
        seen += len(os.read(ready, 3))
    tell("left")


def wait_for_signal() -> None:
    """Say that this process runs, then wait."""
    tell("ready")
    signal.pause()


def ignored() -> None:
    """Tell which signals this process ignores: bit N - 1 for signal N."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    tell(int(status["SigIgn"], 16))


def swap() -> None:
    """Say one thing on 3 and another on 4."""
    os.write(3, b"three")
    os.write(4, b"four")


def seven() -> int:
    """End with code 7."""
    return 7


def leave() -> None:
    """End by sys.exit."""
    sys.exit(9)


def fail() -> None:
    """Fail."""
    raise RuntimeError("planted failure")


def flood() -> None:
    """Write for ever."""
    while True:
        os.write(1, b"x" * 65536)


def sidecar() -> int:
    """As a sidecar: tell on 3 who and where one is, wait for the other side to close it, end with 5."""
    fds = _open_descriptors()
    net = str(Path("/proc/self/ns/net").readlink())
    control = socket.socket(fileno=3)
    control.sendall(json.dumps({"fds": fds, "net": net, "env": dict(os.environ), "session": os.getsid(0)}).encode())
    control.recv(1)
    return 5


def endless() -> None:
    """As a sidecar: never end."""
    while True:
        time.sleep(60)


def _open_descriptors() -> list[int]:
    """List what is open; the folder that is listed is closed again when it is looked at."""
    return sorted(int(path.name) for path in list(Path("/proc/self/fd").iterdir()) if path.exists())


def typist() -> None:
    """On the terminal one is given: tell whose it is, then type into it as if the user had."""
    found = {
        "mine": os.tcgetpgrp(0) == os.getpgrp() == os.getsid(0),
        "size": os.get_terminal_size(0),
        "name": os.ttyname(0),
        "tty": outcome(lambda: os.close(os.open("/dev/tty", os.O_RDWR))),
        "type": outcome(lambda: fcntl.ioctl(0, _TIOCSTI, b"x")),
        "type into tty": outcome(lambda: fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), _TIOCSTI, b"x")),
        "type, high bits": outcome(lambda: linux.call("ioctl", 0, _TIOCSTI | 1 << 32, b"x")),
    }
    tell(found)


def executions() -> None:
    """Try to have this process or another execute what was written here, in FOLDERS, by every way there is."""
    program = Path("/bin/true").read_bytes()
    loader = next(str(path) for path in (*Path("/lib64").glob("ld-linux*"), *Path("/lib").glob("ld-linux*")))
    found = {"memfd": outcome(lambda: os.close(os.memfd_create("x"))), "memfd_secret": outcome(_memory_secret)}
    found["execute shared memory"] = outcome(lambda: _run("/dev/shm/program", program))  # noqa: S108 - the sandbox's own
    for folder in os.environ["FOLDERS"].split(":"):
        path = str(Path(folder, "program"))
        Path(path).write_bytes(program)
        Path(path).chmod(0o755)
        fd = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o755)
        os.write(fd, program)
        reopened = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
        os.close(fd)
        script = Path(folder, "script")
        script.write_text("#!/bin/sh\ntrue\n")
        script.chmod(0o755)
        Path(folder, "link").symlink_to("program")
        attempts: dict[str, Callable[[], object]] = {
            "run": lambda path=path: _spawn(path),  # type: ignore[misc]  # a default that binds the loop's value
            "run by a link": lambda folder=folder: _spawn(f"{folder}/link"),  # type: ignore[misc]  # the same
            "run a script": lambda script=script: _spawn(str(script)),  # type: ignore[misc]  # the same
            "run by the loader": lambda path=path: _spawn(loader, path),  # type: ignore[misc]  # the same
            "run unlinked": lambda fd=reopened: _spawn(f"/proc/self/fd/{fd}"),  # type: ignore[misc]  # the same
            "execveat unlinked": lambda fd=reopened: _execveat(fd),  # type: ignore[misc]  # the same
            "map": lambda path=path: _map(path, 5),  # type: ignore[misc]  # the same
            "map, then protect": lambda path=path: _protect(path),  # type: ignore[misc]  # the same
            "preload": lambda path=path: _preload(path),  # type: ignore[misc]  # the same
        }
        found |= {f"{what} {folder}": outcome(attempt) for what, attempt in attempts.items()}
    tell(found)


def _spawn(*argv: str) -> int:
    """Start a program; OSError if it cannot be started or fails."""
    child = os.posix_spawn(argv[0], argv, {}, file_actions=[(os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(errno.EPERM, f"exit code {code}")
    return code


def _run(path: str, program: bytes) -> int:
    Path(path).write_bytes(program)
    Path(path).chmod(0o755)
    return _spawn(path)


def _execveat(fd: int) -> int:
    child = os.fork()
    if child == 0:
        try:
            os.execve(fd, ["x"], {})  # noqa: S606 - the attempt
        except OSError as error:
            os._exit(error.errno or 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))
    return code


def _memory_secret() -> None:
    os.close(linux.call("memfd_secret", 0))


def _map(path: str, protection: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    fd = os.open(path, os.O_RDONLY)
    address = libc.mmap(None, ctypes.c_size_t(4096), protection, 2, fd, ctypes.c_long(0))
    os.close(fd)
    if address == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")
    return int(address)


def _protect(path: str) -> None:
    address = _map(path, 1)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(4096), 5) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")


def _preload(path: str) -> None:
    """Load as a library; a program is none, but only one that may be mapped to be executed is told so."""
    try:
        ctypes.CDLL(path)
    except OSError as error:
        if "failed to map" in str(error) or "Operation not permitted" in str(error):
            raise OSError(errno.EPERM, str(error)) from error


def eat() -> None:
    """Take memory in ever more children of 16 MiB each, and never give it back."""
    tell("eating")
    while True:
        if os.fork() == 0:
            kept = bytearray(b"x") * (16 << 20)
            signal.pause()
            del kept
        time.sleep(0.01)


def gorge() -> None:
    """Take memory in one process until there is no more; how many MiB it got."""
    kept: list[bytes] = []
    try:
        while len(kept) < 4096:
            kept.append(b"x" * (1 << 20))
    except MemoryError:
        count = len(kept)
        kept.clear()
        tell(count)


def remember() -> None:
    """Make a file in memory."""
    tell(outcome(lambda: os.close(os.memfd_create("x"))))


def spin() -> None:
    """Compute in four processes for a second on the clock; how many seconds of processor that took."""
    until = time.monotonic() + 1.0
    for _ in range(3):
        if os.fork() == 0:
            break
    else:
        until_all = True
        while time.monotonic() < until:
            pass
        while until_all:
            try:
                os.wait()
            except ChildProcessError:
                until_all = False
        tell(sum(os.times()[:4]))
        return
    while time.monotonic() < until:
        pass
    os._exit(0)


def open_terminals() -> None:
    """Open terminals until one is refused; how many there were."""
    count = 0
    try:
        while count < 1000:
            os.openpty()
            count += 1
    except OSError:
        tell(count)


def hoard_segments() -> None:
    """Fill twice BYTES of segments that nobody has attached, then wait until no more than BYTES are left."""
    bound, size = int(os.environ["BYTES"]), 16 << 20
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    for _ in range(2 * bound // size):
        segment = libc.shmget(0, ctypes.c_size_t(size), 0o1600)
        if segment < 0:
            break
        address = ctypes.c_void_p(libc.shmat(segment, None, 0))
        ctypes.memset(address, 1, size)
        libc.shmdt(address)
    while sum(int(line.split()[-2]) for line in _listed("shm")) > bound:
        time.sleep(0.01)
    tell("no more")


def hoard_shared() -> None:
    """Fill half of BYTES of memory that could be shared in each of four children, then wait until one is ended."""
    size = int(os.environ["BYTES"]) // 2
    for _ in range(4):
        if os.fork() == 0:
            os.close(1)
            os.close(2)
            page = mmap.mmap(-1, size)
            for at in range(0, size, mmap.PAGESIZE):
                page[at] = 1
            signal.pause()
    tell(os.waitstatus_to_exitcode(os.wait()[1]))


def leave_shared() -> None:
    """Leave one of everything that processes share and do not take with them."""
    libc = ctypes.CDLL(None, use_errno=True)
    made = [libc.shmget(0, 4096, 0o1600), libc.semget(0, 1, 0o1600), libc.msgget(0, 0o1600)]
    queue = libc.mq_open(b"/left", os.O_CREAT | os.O_RDWR, 0o600, None)
    tell([*(number >= 0 for number in made), queue >= 0 or errno.errorcode[ctypes.get_errno()]])


def shared() -> None:
    """Count what `leave_shared` leaves."""
    tell([len(_listed(kind)) for kind in ("shm", "sem", "msg")])


def _listed(kind: str) -> list[str]:
    return Path("/proc/sysvipc", kind).read_text().splitlines()[1:]
