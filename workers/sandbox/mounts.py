"""The sandbox's file system: the host's programs read-only, a fresh proc, a minimal dev, one writable folder.

Whatever is shown is opened as a detached copy of its mount (open_tree) and then put in place. So the new root may be
mounted over a folder of the host, none has to be made for it, and nothing is left to clean up after a crash.
"""

import os
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from workers.sandbox import linux
from workers.sandbox.spec import INSIDE_UID, WORKSPACE, Spec
from workers.sandbox.surroundings import texts

RDONLY: Final = 1
NOSUID: Final = 2
NODEV: Final = 4
NOEXEC: Final = 8
_REC_PRIVATE: Final = 0x4000 | 0x40000
_DETACH: Final = 2
_OPEN_TREE_CLONE: Final = 1
_AT_FDCWD: Final = -100
_AT_EMPTY_PATH: Final = 0x1000
_AT_RECURSIVE: Final = 0x8000
_MOVE_FROM_EMPTY_PATH: Final = 4

# Only a place to mount on, in a mount namespace that nobody else sees; nothing below it is ever shown.
NEWROOT: Final = "/sys"
DEVICES: Final = ("null", "zero", "full", "random", "urandom", "tty")
# What programs of /usr look for in /etc: links such as awk, the linker's cache, the certificate authorities.
ETC: Final = ("alternatives", "ld.so.cache", "ssl/certs", "ssl/openssl.cnf")
_MERGED: Final = ("bin", "sbin", "lib", "lib32", "lib64")
_FOLDERS: Final = ("usr", "etc", "proc", "dev", "dev/pts", "dev/shm", "tmp", "run", "var", "home", "workspace")
_LINKS: Final = {
    "dev/fd": "/proc/self/fd",
    "dev/stdin": "/proc/self/fd/0",
    "dev/stdout": "/proc/self/fd/1",
    "dev/stderr": "/proc/self/fd/2",
    "dev/ptmx": "pts/ptmx",
}
TERMINALS: Final = 64  # of each sandbox: those of the whole host are one number, which a few sandboxes could use up
# What no namespace divides: the names of the keys of the host user whose sandbox this is.
_COVERED: Final = ("proc/keys", "proc/key-users")
_INODES_PER_MIB: Final = 256  # a bound for empty files, which cost kernel memory but no pages


@dataclass(frozen=True, slots=True)
class _Tree:
    """A detached mount, and where it goes (relative to the new root)."""

    fd: int
    target: str
    folder: bool


def lay(runtime: Sequence[Path]) -> None:
    """Make the part of the file system that all sandboxes have, and stay in its root. The host's is still to be seen.

    `runtime` are folders that running Python itself needs. Needs CAP_SYS_ADMIN over the mount namespace it is called
    in. OSError if a source is missing or a mount is refused.
    """
    _mount("none", "/", None, _REC_PRIVATE)
    system, devices, links = host_view()
    trees = [_open_tree(path, str(path)[1:], RDONLY | NOSUID | NODEV) for path in (*system, *runtime)]
    trees += [_open_tree(path, str(path)[1:], NOSUID | NOEXEC) for path in devices]
    covers = [
        _open_tree(Path(os.devnull), name, RDONLY | NOSUID | NODEV | NOEXEC)
        for name in _COVERED
        if Path("/", name).exists()
    ]
    _mount("tmpfs", NEWROOT, "tmpfs", NOSUID | NODEV, "size=1m,nr_inodes=1k,mode=755")
    os.chdir(NEWROOT)
    for folder in _FOLDERS:
        Path(folder).mkdir(exist_ok=True)
    for name, text in texts(INSIDE_UID).items():
        Path(name).write_text(text)
    for name, target in {**_LINKS, **links}.items():
        Path(name).symlink_to(target)
    _mount("proc", "proc", "proc", NOSUID | NODEV | NOEXEC)
    _mount("devpts", "dev/pts", "devpts", NOSUID | NOEXEC, f"newinstance,ptmxmode=0666,mode=620,max={TERMINALS}")
    for tree in (*trees, *covers):
        _attach(tree)


def finish(spec: Spec) -> None:
    """Add what `spec` wants to what `lay` has made, and make it the root of this process."""
    exec_or_not = NOEXEC if spec.strict else 0
    _mount("tmpfs", "tmp", "tmpfs", NOSUID | NODEV | exec_or_not, _bounded(spec.limits.tmp_bytes))
    _mount("tmpfs", "dev/shm", "tmpfs", NOSUID | NODEV | NOEXEC, _bounded(spec.limits.shm_bytes))
    for tree in _open_trees(spec, NOSUID | NODEV | exec_or_not):
        _attach(tree)
    linux.call("pivot_root", b".", b".")
    linux.call("umount2", b".", _DETACH)
    os.chdir("/")
    _set_attributes(_AT_FDCWD, b"/", 0, RDONLY | NOSUID | NODEV | NOEXEC)


@cache
def host_view() -> tuple[tuple[Path, ...], tuple[Path, ...], dict[str, str]]:
    """List what of this host is shown: folders and files read-only, devices, and the links of its root such as /bin.

    Looked up once: the zygote does so, and what it forks finds the answer.
    """
    roots = [Path("/", name) for name in _MERGED]
    folders = [Path("/usr"), *(path for path in roots if path.is_dir() and not path.is_symlink())]
    files = [path for name in ETC if (path := Path("/etc", name)).exists()]
    devices = [path for name in DEVICES if (path := Path("/dev", name)).exists()]
    links = {path.name: str(path.readlink()) for path in roots if path.is_symlink()}
    return (*folders, *files), tuple(devices), links


def _open_trees(spec: Spec, writable: int) -> list[_Tree]:
    system, _, links = host_view()
    there = (*system, *(Path("/", name) for name in links))
    more = [path for path in spec.read_only if not any(path.is_relative_to(shown) for shown in there)]
    trees = [_open_tree(path, str(path)[1:], RDONLY | NOSUID | NODEV) for path in more]
    trees += [_open_tree(source, name[1:], RDONLY | NOSUID | NODEV | NOEXEC) for name, source in spec.files.items()]
    trees += [_open_tree(path, str(path)[1:], writable) for path in spec.read_write]
    if spec.workspace_mode != "off":
        attributes = writable | (RDONLY if spec.workspace_mode == "read-only" else 0)
        trees.append(_open_tree(spec.workspace, WORKSPACE[1:], attributes))
    return trees


def _open_tree(source: Path, target: str, attributes: int) -> _Tree:
    try:
        fd = linux.call("open_tree", _AT_FDCWD, os.fsencode(source), _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE)
        _set_attributes(fd, b"", _AT_EMPTY_PATH | _AT_RECURSIVE, attributes)
    except OSError as error:
        raise OSError(error.errno, f"cannot show {source}: {os.strerror(error.errno or 0)}") from error
    return _Tree(fd, target, stat.S_ISDIR(os.fstat(fd).st_mode))


def _attach(tree: _Tree) -> None:
    target = Path(tree.target)
    if tree.folder:
        target.mkdir(parents=True, exist_ok=True)
    else:
        if not target.parent.is_dir():
            target.parent.mkdir(parents=True)
        if not target.exists():
            target.touch()
    linux.call("move_mount", tree.fd, b"", _AT_FDCWD, os.fsencode(target), _MOVE_FROM_EMPTY_PATH)
    os.close(tree.fd)


def _bounded(size: int) -> str:
    return f"size={size},nr_inodes={max(1024, (size >> 20) * _INODES_PER_MIB)},mode=1777"


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    try:
        linux.call("mount", source.encode(), target.encode(), kind.encode() if kind else None, flags, options.encode())
    except OSError as error:
        raise OSError(
            error.errno, f"cannot mount {kind or 'private'} on {target}: {os.strerror(error.errno or 0)}"
        ) from error


def _set_attributes(fd: int, path: bytes, flags: int, attributes: int) -> None:
    wanted = struct.pack("QQQQ", attributes, 0, 0, 0)
    linux.call("mount_setattr", fd, path, flags, wanted, len(wanted))
