"""Using up what the host has, and staying when one should go. Every bomb is bounded here, too, if the walls are not."""

import ctypes
import fcntl
import itertools
import mmap
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from workers.attacks.attack import Attack, Design
from workers.attacks.attempt import libc, libc_word
from workers.attacks.bait import Bait

_MIB: Final = 1 << 20
_NORESERVE: Final = 0x4000
_SLEEP_SECONDS: Final = 60
_KEPT_SECONDS: Final = 1.0
_SEGMENT: Final = 16 * _MIB
_TERMINALS: Final = 200
_INOTIFY: Final = 2048
_STAYS_SECONDS: Final = 30


def processes(bait: Bait) -> str:
    """Start processes until one is refused."""
    return _beyond(_fork, bait.limits["processes"], "processes")


def threads(bait: Bait) -> str:
    """Start threads until one is refused."""
    libc_ = ctypes.CDLL(None, use_errno=True)
    started: list[object] = []
    sleeper = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(("pause", libc_))

    def start() -> None:
        thread = ctypes.c_ulong()
        if number := libc_.pthread_create(ctypes.byref(thread), None, sleeper, None):
            raise OSError(number, os.strerror(number))
        started.append(thread)

    return _beyond(start, bait.limits["processes"], "threads")


def address_space(bait: Bait) -> str:
    """Reserve memory in one process until it is refused."""
    held: list[mmap.mmap] = []
    piece = bait.limits["address_space_bytes"] // 64

    def take() -> None:
        held.append(mmap.mmap(-1, piece, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE))

    return _beyond(take, 64, "64ths of the limit")


def memory(bait: Bait) -> str:
    """Fill memory in several processes, and keep it for a second."""
    bound = bait.limits["memory_bytes"]
    children = [_fill(bound // 2) for _ in range(4)]
    time.sleep(_KEPT_SECONDS)
    kept = bound // 2 * sum(os.waitpid(child, os.WNOHANG) == (0, 0) for child in children)
    return _kept(kept, bound)


def memory_of_files(bait: Bait) -> str:
    """Fill files that are only in memory and that no process maps, and keep them for a second."""
    bound, size = bait.limits["memory_bytes"], bait.limits["file_bytes"]
    piece = bytes(size)
    held: list[int] = []
    with suppress(OSError):
        while len(held) * size < 2 * bound:
            fd = os.memfd_create("attack")
            os.write(fd, piece)
            held.append(fd)
    time.sleep(_KEPT_SECONDS)
    return _kept(len(held) * size, bound)


def memory_of_segments(bait: Bait) -> str:
    """Fill System V shared memory, which no process has to hold, and keep it for a second."""
    bound = bait.limits["memory_bytes"]
    with suppress(OSError):
        for _ in range(2 * bound // _SEGMENT):
            address = libc_word("shmat", libc("shmget", 0, _SEGMENT, 0o1600), 0, 0)
            ctypes.memset(address, 1, _SEGMENT)
            libc("shmdt", address)
    time.sleep(_KEPT_SECONDS)
    left = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]  # somebody may have removed some
    return _kept(sum(int(line.split()[-2]) for line in left), bound)


def locked_memory(bait: Bait) -> str:
    """Lock memory so that it cannot be swapped."""
    page = mmap.mmap(-1, 64 * _MIB)
    libc("mlock", ctypes.addressof(ctypes.c_char.from_buffer(page)), 64 * _MIB)
    return "locked 64 MiB"


def temporary_bytes(bait: Bait) -> str:
    """Fill /tmp, which is memory."""
    return _fill_folder("/tmp", bait.limits["tmp_bytes"])


def shared_bytes(bait: Bait) -> str:
    """Fill /dev/shm, which is memory."""
    return _fill_folder("/dev/shm", bait.limits["shm_bytes"])


def file_bytes(bait: Bait) -> str:
    """Write a file without end to the workspace."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = bait.limits["file_bytes"]
    with Path("/workspace/.large").open("wb", buffering=0) as file:
        file.seek(limit - 1)
        file.write(b"..")
        return f"wrote past {limit} bytes" if file.tell() > limit else _refuse("it ended at the limit")


def files(bait: Bait) -> str:
    """Make files in /tmp until one is refused: each is the kernel's memory."""
    count = max(1024, bait.limits["tmp_bytes"] // _MIB * 256)

    names = map("/tmp/{}".format, itertools.count())
    return _beyond(lambda: os.close(os.open(next(names), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)), count, "files")


def descriptors(bait: Bait) -> str:
    """Open files until one is refused."""
    return _beyond(lambda: os.open("/dev/null", os.O_RDONLY), bait.limits["open_files"], "descriptors")


def terminals(bait: Bait) -> str:
    """Open terminals by several processes, until the host has none left."""
    reader, writer = os.pipe()
    for _ in range(8):
        child = os.fork()
        if child == 0:
            _open_terminals(writer, _TERMINALS // 8)
    os.close(writer)
    opened = 0
    while opened < _TERMINALS and (piece := os.read(reader, 4096)):
        opened += piece.count(b".")
        if piece.count(b"!"):
            raise OSError(f"refused after {opened}")
    return f"opened {opened} terminals, which all users of the host share"


def watches(bait: Bait) -> str:
    """Open inotify instances, of which each user of the host has few."""
    opened = 0
    with suppress(OSError):
        while opened < _INOTIFY:
            libc("inotify_init1", 0)
            opened += 1
    return f"opened {opened}"


def pipes(bait: Bait) -> str:
    """Fill large pipes, whose memory is the kernel's."""
    held = 0
    with suppress(OSError):
        while held < 256 * _MIB:
            _, writer = os.pipe2(os.O_NONBLOCK)
            held += fcntl.fcntl(writer, 1031, _MIB)  # F_SETPIPE_SZ
    if held < 128 * _MIB:
        raise OSError(f"refused after {held >> 20} MiB")
    return f"holds {held >> 20} MiB of pipes"


def message_queues(bait: Bait) -> str:
    """Fill message queues, whose memory is the kernel's."""
    made = 0
    with suppress(OSError):
        while made < 256:
            libc("mq_open", f"/signet-attack-{made}".encode(), os.O_CREAT | os.O_RDWR, 0o600, None)
            made += 1
    for number in range(made):
        with suppress(OSError):
            libc("mq_unlink", f"/signet-attack-{number}".encode())
    if made < 32:
        raise OSError(f"refused after {made}")
    return f"made {made} queues"


def core_file(bait: Bait) -> str:
    """Crash, to have the host write or pipe a core file."""
    child = os.fork()
    if child == 0:
        os.chdir("/workspace")
        resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(_SLEEP_SECONDS)
    _, status = os.waitpid(child, 0)
    if os.WCOREDUMP(status) and any(path.stat().st_size > 1 for path in Path("/workspace").glob("core*")):
        return "a core file was written"
    raise OSError("no core of more than a byte")


def daemon(bait: Bait) -> str:
    """Stay behind when the run is over, as a daemon that ignores every signal it can."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            for fd in range(3, 64):
                with suppress(OSError):
                    os.close(fd)
            _stay()
        os._exit(0)
    os.wait()
    return "left a daemon"


def zombies(bait: Bait) -> str:
    """Leave the dead to pid 1 until there is no room for the living."""
    for _ in range(bait.limits["processes"] * 2):
        child = os.fork()
        if child == 0:
            if os.fork() == 0:
                os._exit(0)
            os._exit(0)
        os.waitpid(child, 0)
    time.sleep(0.2)
    dead = [name for name in os.listdir("/proc") if name.isdigit() and _state(name) == "Z"]
    if len(dead) < 10:
        raise OSError(f"{len(dead)} are left")
    return f"{len(dead)} dead are left"


def connections(bait: Bait) -> str:
    """Connect to inference.local until it refuses, so that others inside are not served."""
    held: list[socket.socket] = []
    with suppress(OSError):
        while len(held) < 2 * bait.limits["open_files"]:
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.2", 80))
            held.append(sock)
    ready = select.select([], held, [], 0)[1] if len(held) < 1000 else held
    if len(held) <= bait.limits["open_files"]:
        raise OSError(f"{len(held)} sockets, {len(ready)} connected: bounded by the open files of the sandbox")
    return f"{len(held)} connections"


def _beyond(act: Callable[[], object], bound: int, what: str) -> str:
    """Do it until it is refused; OSError if that was at the bound or before."""
    done = 0
    try:
        while done <= bound:
            act()
            done += 1
    except OSError as error:
        raise OSError(error.errno, f"refused after {done} {what}: {os.strerror(error.errno or 0)}") from error
    return f"{done} {what}, where {bound} are allowed"


def _fork() -> None:
    if os.fork() == 0:
        signal.alarm(_SLEEP_SECONDS)
        signal.pause()
        os._exit(0)


def _fill(size: int) -> int:
    """Fill memory in a child that stays."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        page = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for at in range(0, size, mmap.PAGESIZE):
            page[at] = 1
        os.write(writer, b".")
        signal.alarm(_SLEEP_SECONDS)
        signal.pause()
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    return child


def _kept(size: int, bound: int) -> str:
    if size <= bound:
        raise OSError(f"{size >> 20} MiB are kept, where {bound >> 20} are allowed")
    return f"keeps {size >> 20} MiB, where {bound >> 20} are allowed"


def _fill_folder(folder: str, bound: int) -> str:
    written = 0
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    piece = bytes(_MIB)
    try:
        for number in range(2 * bound // _MIB):
            with Path(folder, f".fill-{number}").open("wb", buffering=0) as file:
                written += file.write(piece)
    finally:
        for path in Path(folder).glob(".fill-*"):
            path.unlink()
    return f"wrote {written >> 20} MiB to {folder}, where {bound >> 20} are allowed"


def _open_terminals(writer: int, count: int) -> None:
    for _ in range(count):
        try:
            os.openpty()
        except OSError:
            os.write(writer, b"!")
            break
        os.write(writer, b".")
    signal.alarm(2)
    signal.pause()


def _stay() -> None:
    signal.alarm(_STAYS_SECONDS)
    while True:
        signal.pause()


def _state(pid: str) -> str:
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _refuse(why: str) -> str:
    raise OSError(why)


_HOST: Final = "a host that has none left for others"

ATTACKS: Final = (
    Attack(processes, _HOST, alone=True),
    Attack(threads, _HOST, alone=True),
    Attack(address_space, _HOST, alone=True),
    Attack(memory, _HOST, alone=True, seconds=15),
    Attack(memory_of_files, _HOST, alone=True, seconds=15),
    Attack(memory_of_segments, _HOST, alone=True, seconds=15),
    Attack(locked_memory, _HOST, alone=True),
    Attack(temporary_bytes, _HOST, alone=True),
    Attack(shared_bytes, _HOST, alone=True),
    Attack(file_bytes, "a disk that is full", alone=True),
    Attack(files, _HOST, alone=True),
    Attack(descriptors, _HOST, alone=True),
    Attack(terminals, _HOST, alone=True),
    Attack(
        watches,
        "the operator's programs that watch files",
        alone=True,
        design=Design("an ordinary user's sandboxes count as that user; as root each agent is a user of its own"),
    ),
    Attack(pipes, _HOST, alone=True),
    Attack(message_queues, _HOST, alone=True),
    Attack(core_file, "memory of a program in a file of the host", alone=True),
    Attack(daemon, "a process that the run's end does not end", "host", alone=True),
    Attack(zombies, "a sandbox in which nothing can be started", alone=True),
    Attack(connections, "a sidecar that serves nobody else", alone=True),
)
