"""Packing a file or folder as a tar."""

import os
import stat
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from workers.tools.tarball import BLOCK, CHUNK_BYTES, ArchiveError, write
from workers.tools.unpack import BYTES, DEPTH, ENTRIES


class Packer:
    """Writes a tar of one file or folder to a descriptor. Sockets, pipes and devices are left out, which is told."""

    def __init__(self, fd: int, *, entries: int = ENTRIES, size: int = BYTES) -> None:
        self._fd = fd
        self._entries = entries
        self._bytes = size

    def pack(self, path: str) -> None:
        """Write it; its names begin with the path's last one. The path may be a link, what it leads to is packed.

        Raises ArchiveError, OSError.
        """
        top = Path(path).resolve(strict=True)
        name = Path(os.path.normpath(path)).name
        for place, shown in self._walk(top, name if name not in ("", "..") else top.name or "."):
            self._add(place, shown)
        write(self._fd, bytes(2 * BLOCK))

    def _walk(self, top: Path, name: str) -> Iterator[tuple[Path, str]]:
        waiting = [(top, name)]
        while waiting:
            place, shown = waiting.pop()
            yield place, shown
            if place.is_dir() and not place.is_symlink():
                if shown.count("/") >= DEPTH:
                    raise ArchiveError(f"{shown[:100]!r}…: more than {DEPTH} folders in folders")
                inside = sorted(place.iterdir(), reverse=True)
                waiting += [(path, f"{shown}/{path.name}") for path in inside]

    def _add(self, place: Path, shown: str) -> None:
        found = place.lstat()
        info = tarfile.TarInfo(shown)
        info.mode, info.mtime = found.st_mode & 0o777, int(found.st_mtime)
        self._take(1, 0)
        if stat.S_ISREG(found.st_mode):
            self._add_file(place, info)
        elif stat.S_ISDIR(found.st_mode):
            info.type = tarfile.DIRTYPE
            write(self._fd, header(info))
        elif stat.S_ISLNK(found.st_mode):
            info.type, info.linkname = tarfile.SYMTYPE, str(place.readlink())
            write(self._fd, header(info))
        else:
            sys.stderr.write(f"{shown}: left out, for it is no file, folder or link\n")

    def _add_file(self, place: Path, info: tarfile.TarInfo) -> None:
        fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            left = info.size = os.fstat(fd).st_size
            self._take(0, left)
            write(self._fd, header(info))
            while left:
                chunk = os.read(fd, min(left, CHUNK_BYTES))
                if not chunk:
                    raise ArchiveError(f"{info.name} became shorter while it was read")
                left -= len(chunk)
                write(self._fd, chunk)
            write(self._fd, bytes(-info.size % BLOCK))
        finally:
            os.close(fd)

    def _take(self, entries: int, size: int) -> None:
        self._entries -= entries
        self._bytes -= size
        if self._entries < 0 or self._bytes < 0:
            raise ArchiveError("it has too many files or bytes: take a part of it")


def header(info: tarfile.TarInfo) -> bytes:
    """Write an entry's header."""
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
