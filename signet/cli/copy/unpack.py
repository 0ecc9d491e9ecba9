"""A tar that a sandbox made, unpacked here: what is inside was written by an agent and is not trusted."""

import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import click

from signet.kit.errors import AlreadyExists

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_BYTES = 256 * 1024


class Stream(io.RawIOBase):
    """A file to read, of pieces as they come."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""

    def readable(self) -> bool:
        """Say yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Give so many bytes; fewer at the end only."""
        parts, length = [self._held], len(self._held)
        while size < 0 or length < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            parts.append(piece)
            length += len(piece)
        whole = b"".join(parts)
        end = length if size < 0 else size
        self._held = whole[end:]
        return whole[:end]


def unpack(
    stream: Stream, root: str, folder: Path, name: str, moved: Callable[[int], None], *, force: bool
) -> list[str]:
    """Unpack what was packed as `root` to `folder/name`, whole or not at all: first beside it, then moved.

    `moved` is told the bytes of files as they are written. Gives what stays behind: links that lead out of it,
    devices, hard links. Set-user-id bits are dropped. Raises UsageError for a tar that is broken or names what is
    outside of it, AlreadyExists, OSError for what cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix=".signet-cp-", dir=folder) as temporary:
        tree = _Tree(Path(temporary) / "root", moved)
        try:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                for member in tar:
                    tree.take(tar, member, _parts(member.name, root))
            while stream.read(io.DEFAULT_BUFFER_SIZE):  # what stands behind the end of a tar is only filling
                pass
        except (tarfile.TarError, UnicodeEncodeError) as error:
            raise click.UsageError(f"what came out of the sandbox is no whole tar: {error}") from error
        tree.link()
        if not tree.root.exists():
            raise click.UsageError(f"{root} is neither a file nor a folder, or a link that leads out of it")
        _place(tree.root, folder / name, force=force)
        return tree.left


def taken(where: str) -> AlreadyExists:
    """Make the error for what is there already."""
    return AlreadyExists("NAME_TAKEN", f"{where} is there already", hint="--force replaces it")


def _parts(name: str, root: str) -> tuple[str, ...]:
    parts = tuple(part for part in PurePosixPath(name).parts if part != ".")
    if name.startswith("/") or ".." in parts:
        raise click.UsageError(f"what came out of the sandbox names {name!r}, which is outside of it")
    return parts[1:] if parts and parts[0] == root else parts


class _Tree:
    """A tree that grows under `root`. Nothing is ever written through a link: they are made last."""

    def __init__(self, root: Path, moved: Callable[[int], None]) -> None:
        self.root = root
        self._moved = moved
        self.left: list[str] = []
        self._links: list[tuple[Path, str]] = []

    def take(self, tar: tarfile.TarFile, member: tarfile.TarInfo, parts: tuple[str, ...]) -> None:
        """Make one member."""
        path = self.root.joinpath(*parts)
        if member.isdir():
            path.mkdir(0o755, parents=True, exist_ok=True)
        elif member.isreg():
            path.parent.mkdir(0o755, parents=True, exist_ok=True)
            content = tar.extractfile(member)
            mode = 0o755 if member.mode & 0o100 else 0o644
            with os.fdopen(os.open(path, _NEW, mode), "wb") as file:
                while content is not None and (piece := content.read(_READ_BYTES)):
                    file.write(piece)
                    self._moved(len(piece))
            os.utime(path, (member.mtime, member.mtime))
        elif member.issym() and parts:
            self._links.append((path, member.linkname))
        else:
            self.left.append(member.name)

    def link(self) -> None:
        """Make the links, then take away those that lead out, as a chain of them may."""
        for path, target in self._links:
            path.parent.mkdir(0o755, parents=True, exist_ok=True)
            if os.path.lexists(path):
                self.left.append(str(path.relative_to(self.root)))
            else:
                path.symlink_to(target)
        home = os.path.realpath(self.root)
        for path, target in self._links:
            real = os.path.realpath(path)
            if path.is_symlink() and (target.startswith("/") or os.path.commonpath((home, real)) != home):
                path.unlink()
                self.left.append(str(path.relative_to(self.root)))


def _place(source: Path, destination: Path, *, force: bool) -> None:
    """Move it to where it belongs: over what is there with `force`, into folders that are there."""
    there = os.path.lexists(destination)
    if there and not force:
        raise taken(str(destination))
    folders = [path.is_dir() and not path.is_symlink() for path in (source, destination)]
    if there and all(folders):
        for child in sorted(source.iterdir()):
            _place(child, destination / child.name, force=force)
        return
    if there and any(folders):
        which = "is a folder and what is copied is none" if folders[1] else "is none and what is copied is a folder"
        raise click.UsageError(f"{destination} {which}: remove it first")
    os.replace(source, destination)  # noqa: PTH105 - as it says, and a link at the destination is replaced itself
