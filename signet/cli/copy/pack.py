"""A file or folder of this machine as a tar, made while it is sent."""

import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click

_READ_BYTES = 256 * 1024
_BLOCK = 512


def packed(path: Path, name: str, moved: Callable[[int], None]) -> Iterator[bytes]:
    """Yield the tar of a file or folder, its members named from `name` on. `moved` is told each piece's bytes.

    Links stay links; sockets, pipes and devices are left out. Raises OSError for what cannot be read, and UsageError
    for a file that shrinks meanwhile.
    """
    with tarfile.open(os.devnull, "w") as tar:  # only to describe the members
        for member, inside in _members(path, name):
            info = tar.gettarinfo(str(member), inside)
            if info is None or not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
                continue
            if info.islnk():  # of two names of one file both carry what is in it
                info.type, info.linkname = tarfile.REGTYPE, ""
                info.size = member.stat().st_size
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            yield info.tobuf(tarfile.PAX_FORMAT)
            if info.isreg():
                yield from _content(member, info.size, moved)
    yield bytes(2 * _BLOCK)


def _members(path: Path, name: str) -> Iterator[tuple[Path, str]]:
    yield path, name
    if path.is_symlink() or not path.is_dir():
        return
    with os.scandir(path) as entries:
        names = sorted(entry.name for entry in entries)
    for one in names:
        yield from _members(path / one, f"{name}/{one}")


def _content(path: Path, size: int, moved: Callable[[int], None]) -> Iterator[bytes]:
    left = size
    with path.open("rb") as file:
        while left:
            piece = file.read(min(_READ_BYTES, left))
            if not piece:
                raise click.UsageError(f"{path} became shorter while it was read: copy it again")
            left -= len(piece)
            moved(len(piece))
            yield piece
    yield bytes(-size % _BLOCK)
