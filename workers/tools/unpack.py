"""Unpacking a tar into one folder and nothing else, whatever the tar says and whatever is in the folder already."""

import errno
import os
import stat
from pathlib import Path

from workers.tools.tarball import CHUNK_BYTES, ArchiveError, Entry, Reader, write

ENTRIES = 200_000
"""Most files, folders and links of an archive."""
BYTES = 16 << 30
"""Most bytes of its files together."""
DEPTH = 200
"""Most folders in folders."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


class Unpacker:
    """Unpacks into one folder, which is made where it is missing, and into nothing else.

    What is there already is replaced, but for folders, which stay. No name or link may leave the folder, and nothing
    is written through a link, whoever made it.
    """

    def __init__(self, folder: str, *, entries: int = ENTRIES, size: int = BYTES) -> None:
        self._folder = folder
        self._entries = entries
        self._bytes = size

    def unpack(self, reader: Reader) -> None:
        """Take every entry. Raises ArchiveError, OSError; what was unpacked before it stays."""
        Path(self._folder).mkdir(parents=True, exist_ok=True)
        root = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for count, entry in enumerate(reader.entries(), 1):
                self._bytes -= entry.size
                if count > self._entries or self._bytes < 0:
                    raise ArchiveError(
                        f"it has more than {self._entries} entries, or too many bytes: pack less at once"
                    )
                self._put(root, entry, reader)
        finally:
            os.close(root)

    def _put(self, root: int, entry: Entry, reader: Reader) -> None:
        parts = inner(entry.name)
        if not parts:  # the folder itself
            return
        parent = self._open(root, parts[:-1])
        try:
            if entry.kind == "folder":
                os.close(_into(parent, parts[-1], entry.name, mode=entry.mode | 0o700))
            else:
                self._replace(root, parent, parts, entry, reader)
        finally:
            os.close(parent)

    def _replace(self, root: int, parent: int, parts: list[str], entry: Entry, reader: Reader) -> None:
        name = parts[-1]
        if entry.kind == "hard":
            self._hard(root, parent, name, entry)
            return
        if entry.kind == "link":
            leads(parts, entry)
        _remove(parent, name, entry.name)
        if entry.kind == "link":
            os.symlink(entry.target, name, dir_fd=parent)
            return
        fd = os.open(name, _NEW, 0o600, dir_fd=parent)
        try:
            for chunk in reader.data():
                write(fd, chunk)
            os.fchmod(fd, entry.mode)
            os.utime(fd, (entry.mtime, entry.mtime))
        except BaseException:
            os.unlink(name, dir_fd=parent)
            raise
        finally:
            os.close(fd)

    def _hard(self, root: int, parent: int, name: str, entry: Entry) -> None:
        """Make a second name of a file of the archive; where that cannot be, a copy."""
        source = inner(entry.target)
        if not source:
            raise ArchiveError(f"{entry.name!r} is a link to {entry.target!r}")
        folder = self._open(root, source[:-1])
        try:
            fd = os.open(source[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise ArchiveError(f"{entry.name!r} is a link to {entry.target!r}, which is no file")
            self._bytes -= found.st_size
            if self._bytes < 0:
                raise ArchiveError("it has too many bytes: pack less at once")
            _remove(parent, name, entry.name)
            copy = os.open(name, _NEW, 0o600, dir_fd=parent)
            try:
                while chunk := os.read(fd, CHUNK_BYTES):
                    write(copy, chunk)
                os.fchmod(copy, found.st_mode & 0o777)
            finally:
                os.close(copy)
        finally:
            os.close(fd)

    @staticmethod
    def _open(root: int, parts: list[str]) -> int:
        """Open a folder below the root, made where it is missing; the caller closes it."""
        fd = os.dup(root)
        for index, part in enumerate(parts):
            try:
                inside = _into(fd, part, "/".join(parts[: index + 1]), mode=0o755)
            finally:
                os.close(fd)
            fd = inside
        return fd


def inner(name: str) -> list[str]:
    """Give the parts of a name that stays in its folder. Raises ArchiveError."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise ArchiveError(f"{name!r} would leave the folder")
    if len(parts) > DEPTH:
        raise ArchiveError(f"{name[:100]!r}…: more than {DEPTH} folders in folders")
    return parts


def leads(parts: list[str], entry: Entry) -> None:
    """Refuse a link that leaves the folder: `..` may come first only, and not further up than the folder itself.

    A name before a `..` may be, or become, a link itself; then nobody can tell where both together lead.
    """
    steps = [step for step in entry.target.split("/") if step not in ("", ".")]
    ups = next((index for index, step in enumerate(steps) if step != ".."), len(steps))
    if entry.target.startswith("/") or ups >= len(parts) or ".." in steps[ups:]:
        raise ArchiveError(f"{entry.name!r} is a link to {entry.target!r}, which would leave the folder")


def _into(fd: int, name: str, shown: str, *, mode: int) -> int:
    """Open a folder in a folder, made where it is missing."""
    try:
        return os.open(name, _FOLDER, dir_fd=fd)
    except FileNotFoundError:
        os.mkdir(name, mode, dir_fd=fd)
        return os.open(name, _FOLDER, dir_fd=fd)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise ArchiveError(f"{shown!r} is there already and no folder: nothing is unpacked through it") from error
        raise


def _remove(fd: int, name: str, shown: str) -> None:
    """Make room for a file or link."""
    try:
        os.unlink(name, dir_fd=fd)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError) as error:
        raise ArchiveError(f"{shown!r} is there already, as a folder or as what cannot be removed") from error
