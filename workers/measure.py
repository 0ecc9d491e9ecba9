"""What a workspace takes on the disk: its files, and those that are deleted but still held open by a process.

It is read by descriptors, never by paths, so nothing that changes meanwhile leads it out of the folder. Only names and
sizes are read. All of it blocks: call it in a thread.
"""

import contextlib
import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 512
MOST_DEPTH = 256
"""Folders in folders that are read; what lies deeper cannot be counted, and is too much."""
MOST_HELD = 65_536
"""Most descriptors of processes that are looked at."""
BREATH = 512
"""Entries after which others get their turn."""
PAUSE_SECONDS = 0.001
_DELETED = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ ([0-9a-f]+):([0-9a-f]+) (\d+) .* \(deleted\)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Usage:
    """What is taken. `beyond` says why it is more than could be counted, "" where all of it was."""

    bytes: int = 0
    inodes: int = 0
    beyond: str = ""


class Measure:
    """One look at a workspace. `stop` may be called from another thread; the look then ends with what it has."""

    def __init__(self, workspace: Path, pid: int, most_inodes: int) -> None:
        self._workspace = workspace
        self._pid = pid
        self._most = most_inodes
        self._stopped = threading.Event()
        self._bytes = 0
        self._inodes = 0
        self._beyond = ""
        self._linked: set[tuple[int, int]] = set()  # files of several names, counted once

    def stop(self) -> None:
        """End it soon."""
        self._stopped.set()

    def run(self) -> Usage:
        """Look. Raises OSError where the workspace itself cannot be read."""
        root = os.open(self._workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            device = os.fstat(root).st_dev
            self._folder(root, 1)
        finally:
            os.close(root)
        for found in held(self._pid, device):
            self._count(found)
        return Usage(self._bytes, self._inodes, self._beyond)

    def _folder(self, fd: int, depth: int) -> None:
        with os.scandir(fd) as entries:
            for entry in entries:
                if self._beyond or self._stopped.is_set():
                    return
                try:
                    found = entry.stat(follow_symlinks=False)
                except OSError:  # it is gone again
                    continue
                self._count(found)
                if stat.S_ISDIR(found.st_mode):
                    self._below(fd, entry.name, depth + 1)

    def _below(self, fd: int, name: str, depth: int) -> None:
        if depth > MOST_DEPTH:
            self._beyond = f"folders in folders, more than {MOST_DEPTH} deep"
            return
        try:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
        except OSError:  # gone, or closed to us where we are not root
            return
        try:
            self._folder(inner, depth)
        finally:
            os.close(inner)

    def _count(self, found: os.stat_result) -> None:
        if found.st_nlink != 1 and not stat.S_ISDIR(found.st_mode):
            key = (found.st_dev, found.st_ino)
            if key in self._linked:
                return
            self._linked.add(key)
        self._inodes += 1
        self._bytes += found.st_blocks * BLOCK_BYTES
        if self._inodes > self._most:
            self._beyond = f"more than {self._most} files and folders"
        if self._inodes % BREATH == 0:
            time.sleep(PAUSE_SECONDS)


def held(pid: int, device: int) -> Iterator[os.stat_result]:
    """Give the deleted files of a device that a process or what it started holds open or mapped, as far as we may see.

    A file that only waits in a socket's queue is nobody's, and not found.
    """
    left = MOST_HELD
    for process in family(pid):
        with contextlib.suppress(OSError):  # it ended, or hides
            for descriptor in list(Path(f"/proc/{process}/fd").iterdir())[:left]:
                left -= 1
                with contextlib.suppress(OSError):
                    found = descriptor.stat()
                    if found.st_nlink == 0 and found.st_dev == device and stat.S_ISREG(found.st_mode):
                        yield found
        yield from _mapped(process, device)


def family(pid: int) -> list[int]:
    """List a process and all below it."""
    found = [pid]
    for process in found:
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{process}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def _mapped(process: int, device: int) -> Iterator[os.stat_result]:
    try:
        maps = Path(f"/proc/{process}/maps").read_text(errors="replace")
    except OSError:
        return
    for match in _DELETED.finditer(maps):
        start, end, major, minor, _ = match.groups()
        if os.makedev(int(major, 16), int(minor, 16)) == device:
            with contextlib.suppress(OSError):
                yield Path(f"/proc/{process}/map_files/{int(start, 16):x}-{int(end, 16):x}").stat()
