"""Which program asks: the owners of a connection's other end, by what the kernel shows of the sandbox.

This is attribution and defence in depth, no boundary: a program can hand its socket to another one while nobody looks.
To an ordinary user the kernel does not show what our own entries hold, and whoever else hides as they do: beside a
holder that is shown they do not count, and alone they are unknown.
"""

import asyncio
import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

Address = tuple[str, int]
Stamp = tuple[int, int, int, int, int]
LOOK_SECONDS = 5.0
PROGRAM_BYTES = 1 << 28
PROCESSES = 4096
PINNED = 1024
"""Programs whose first digest is remembered; one more is unknown."""


class Unknown(Exception):
    """The owner cannot be told."""


class Changed(Exception):
    """A program is no longer what it was when it was first seen under its path."""


@dataclass(frozen=True, slots=True)
class Owners:
    """Programs by their path, all of them or none, and how they are shown to people.

    None also where the content of one is not what it was when it was first seen: it is then as good as unknown.
    """

    programs: tuple[str, ...] = ()
    shown: str = ""


UNKNOWN = Owners()


@dataclass
class Identity:
    """The programs of one sandbox. `root` is the host pid of its pid 1."""

    root: int
    _pinned: dict[str, str] = field(default_factory=dict)
    _digests: dict[Stamp, str] = field(default_factory=dict)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "identity"))

    async def owners(self, peer: Address, local: Address) -> Owners:
        """Give the program of every process that holds a connection, `peer` being its end within the sandbox."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await loop.run_in_executor(self._threads, self.look, peer, local)
        except TimeoutError:
            return UNKNOWN

    def look(self, peer: Address, local: Address) -> Owners:
        """Look now. Blocks for some milliseconds, and longer where a program is seen for the first time."""
        try:
            wanted = f"socket:[{_inode(self.root, peer, local)}]"
            found = {self._program(process) for process in _family(self.root) if _holds(process, wanted)}
            if not found:
                return UNKNOWN
        except Changed as changed:
            return Owners((), f"changed: {changed}")
        except (OSError, Unknown):
            return UNKNOWN
        return Owners(tuple(sorted(found)), ", ".join(sorted(found)))

    def _program(self, process: Path) -> str:
        path = str((process / "exe").readlink())
        digest = self._digest(process)
        if str((process / "exe").readlink()) != path:
            raise Unknown("it became another program meanwhile")
        if path not in self._pinned and len(self._pinned) >= PINNED:
            raise Unknown("too many programs")
        if self._pinned.setdefault(path, digest) != digest:
            raise Changed(path)
        return path

    def _digest(self, process: Path) -> str:
        with (process / "exe").open("rb") as program:
            is_now = os.fstat(program.fileno())
            stamp = (is_now.st_dev, is_now.st_ino, is_now.st_mtime_ns, is_now.st_ctime_ns, is_now.st_size)
            if stamp not in self._digests:
                if is_now.st_size > PROGRAM_BYTES:
                    raise Unknown("too large a program")
                if len(self._digests) >= PINNED:
                    self._digests.clear()
                self._digests[stamp] = hashlib.file_digest(program, "sha256").hexdigest()
            return self._digests[stamp]


def _inode(root: int, peer: Address, local: Address) -> str:
    """Give the inode of the sandbox's end of a connection."""
    wanted = [_shown(peer), _shown(local)]
    with Path(f"/proc/{root}/net/tcp").open(encoding="ascii") as table:
        for line in table:
            words = line.split()
            if words[1:3] == wanted and words[9] != "0":
                return words[9]
    raise Unknown("no such connection")


def _shown(address: Address) -> str:
    """Write an address as the kernel's table does: its bytes as one number of this machine."""
    host = int.from_bytes(bytes(map(int, address[0].split("."))), sys.byteorder)
    return f"{host:08X}:{address[1]:04X}"


def _family(root: int) -> Iterator[Path]:
    """Give the folder in /proc of every process of a sandbox: pid 1, and what descends from it, orphans included."""
    waiting, seen = [str(root)], 0
    while waiting:
        process = Path("/proc", waiting.pop())
        seen += 1
        if seen > PROCESSES:
            raise Unknown("too many processes")
        yield process
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            for thread in (process / "task").iterdir():
                waiting += (thread / "children").read_text().split()


def _holds(process: Path, wanted: str) -> bool:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for fd in (process / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if str(fd.readlink()) == wanted:
                    return True
    return False
