"""Which folders of the host may be shown in a sandbox, and where they would collide with its own."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

WORKSPACE: Final = "/workspace"
FILES: Final = Path("/etc/signet")
"""Where `Spec.files` are shown."""

# What the sandbox has of its own at these places; nothing of the host may lie over, in or around it.
_OWN: Final = tuple(map(Path, ("/proc", "/dev", "/sys", WORKSPACE, str(FILES))))
_OWN_ROOTS: Final = tuple(map(Path, ("/", "/etc", "/tmp")))  # noqa: S108 - places below them may be shown
_SYSTEM: Final = tuple(map(Path, ("/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/boot")))


def check(workspace: Path, read_only: Iterable[Path], read_write: Iterable[Path]) -> None:
    """Raise ValueError if a path is relative or has no place in a sandbox."""
    writable = tuple(read_write)
    for path in (workspace, *read_only, *writable):
        if not path.is_absolute() or ".." in path.parts or "\0" in str(path):
            raise ValueError(f"{str(path)!r} has to be an absolute path without `..`.")
    for path in (*read_only, *writable):
        if path in _OWN_ROOTS or any(path.is_relative_to(own) or own.is_relative_to(path) for own in _OWN):
            raise ValueError(
                f"{path} cannot be shown: the sandbox has its own there. Name a folder below or beside it."
            )
    for path in writable:
        if any(path.is_relative_to(system) for system in _SYSTEM):
            raise ValueError(f"{path} cannot be writable: it belongs to the system.")
    # Whoever can write there could put a link to anywhere in the place of what is to be shown.
    for path in (*read_only, *writable):
        for outer in (*(other for other in writable if other is not path), workspace):
            if path.is_relative_to(outer):
                raise ValueError(f"{path} cannot be shown: the sandbox can write to {outer}, in which it is.")


def check_file(inside: str, source: Path) -> None:
    """Raise ValueError if a file of `Spec.files` is not one level below /etc/signet or comes from a relative path."""
    place = Path(inside)
    if place.parent != FILES or not place.name.strip(".") or "\0" in inside:
        raise ValueError(f"{inside!r} cannot be a file of the sandbox: write {FILES}/NAME.")
    if not source.is_absolute() or "\0" in str(source):
        raise ValueError(f"{str(source)!r} has to be an absolute path.")
