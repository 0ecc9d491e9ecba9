"""Where on this host groups of processes can be bounded: in a subtree of version 2 or 1 that is this worker's to use.

Ours is a group at the root of what is mounted (the host's own, or a container's), or one that was delegated: systemd
says so by an attribute (`Delegate=yes`), and to a user by giving it the folder. In a group that somebody else made and
watches over nothing is made, and none is left.
"""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from workers.sandbox.group import Group
from workers.sandbox.spec import Limits

CONTROLLERS: Final = ("memory", "cpu", "pids")
LEAF: Final = "signet-host"
"""Where version 2 has the worker itself go: a group with controllers for its children may hold no process."""
PREFIX: Final = "signet-box"
HINT: Final = (
    "Run the worker where it has cgroups of its own: `Delegate=yes` in its systemd unit, or "
    "`systemd-run --user --scope -p Delegate=yes`; in a container, with a writable /sys/fs/cgroup."
)
_NAME: Final = re.compile(rf"{PREFIX}\.(\d+)\.(\d+)\.(\d+)\.")
_COUNTS_BY_NAMESPACE: Final = (5, 14)
_MOVES: Final = 3
_DELEGATED: Final = ("trusted.delegate", "user.delegate")

Version = Literal[0, 1, 2]


@dataclass(frozen=True, slots=True)
class Place:
    """The group this process is in, of one hierarchy. `top`: nothing of the hierarchy can be seen above it."""

    version: Version
    folder: Path
    top: bool


@dataclass(frozen=True, slots=True)
class Groups:
    """The parents of the groups to be made, by controller: of one version, or none (version 0)."""

    version: Version
    parents: Mapping[str, Path]
    owner: str

    @classmethod
    def find(cls, owner: int | None = None) -> Self:
        """Look what this process may use, and remove what a crash has left there. Changes nothing else.

        Groups are named for `owner` (this process), with whom all that is in them dies: without it, they are swept.
        """
        pid = owner or os.getpid()
        name = f"{PREFIX}.{Path('/proc/self/ns/pid').stat().st_ino}.{pid}.{_born(pid)}"
        places = locate(Path("/proc/self/cgroup").read_text(), Path("/proc/self/mountinfo").read_text())
        found = {name: _own(place) for name, place in places.items() if _usable(name, place)}
        versions: tuple[Version, ...] = (2, 1)
        for version in versions:
            parents = {name: folder for name, folder in found.items() if places[name].version == version}
            if {"memory", "cpu"} & set(parents):
                for parent in set(parents.values()):
                    sweep(parent)
                return cls(version, parents, name)
        return cls(0, {}, name)

    def serving(self, limits: Limits) -> frozenset[str]:
        """List the controllers that would bound these limits here; nothing if neither memory nor cpu is asked for.

        Processes are counted besides where that costs nothing, or where the kernel's own limit counts those of the
        user's other sandboxes too: each hierarchy of version 1 has its own move, of milliseconds on a busy machine.
        """
        asked = {"memory"} if limits.memory_bytes else set()
        asked |= {"cpu"} if limits.cpu else set()
        served = asked & set(self.parents)
        if served and (self.version == 2 or _kernel() < _COUNTS_BY_NAMESPACE):  # noqa: PLR2004 - the version
            served |= {"pids"} & set(self.parents)
        return frozenset(served)

    def make(self, name: str, limits: Limits) -> Group:
        """Make the group of one sandbox, bounded by these limits. OSError if the host refuses; then nothing is left."""
        wanted = self.serving(limits)
        if self.version == 2 and wanted:  # noqa: PLR2004 - the version
            prepare(self.parents[min(wanted)], wanted)
        folders = {controller: self.parents[controller] / f"{self.owner}.{name}" for controller in sorted(wanted)}
        return Group.make(self.version, folders, limits)


def locate(memberships: str, mounts: str) -> dict[str, Place]:
    """Find this process's group of each controller, from /proc/self/cgroup and /proc/self/mountinfo."""
    mounted: dict[str, tuple[Version, str, Path]] = {}
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        root, target = before.split()[3:5]
        kind, _, options = after.split()[:3]
        if kind == "cgroup2":
            mounted.setdefault("", (2, root, Path(target)))
        elif kind == "cgroup":
            for name in set(options.split(",")) & set(CONTROLLERS):
                mounted.setdefault(name, (1, root, Path(target)))
    found: dict[str, Place] = {}
    for line in memberships.splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            if name in mounted and Path(path).is_relative_to(mounted[name][1]):
                version, top, folder = mounted[name]
                below = Path(path).relative_to(top)
                found[name] = Place(version, folder / below, below in {Path(), Path(LEAF)})
    # What no hierarchy of version 1 has is the unified one's, whose name is empty.
    unified = {name: found[""] for name in CONTROLLERS if "" in found and name not in mounted}
    return unified | {name: place for name, place in found.items() if name}


def sweep(parent: Path) -> None:
    """Remove the groups whose owners are no more. One with a process in it is not empty, and stays."""
    here = Path("/proc/self/ns/pid").stat().st_ino
    for folder in parent.glob(f"{PREFIX}.*"):
        if match := _NAME.match(folder.name):
            namespace, pid, born = map(int, match.groups())
            if namespace == here and _born(pid) != born:
                with suppress(OSError):
                    folder.rmdir()


def prepare(parent: Path, controllers: frozenset[str]) -> None:
    """Have a group of version 2 give these controllers to its children, for which its processes move to a leaf."""
    switch = parent / "cgroup.subtree_control"
    lacking = controllers - set(switch.read_text().split())
    if not lacking:
        return
    if (parent / "cgroup.events").exists():  # not the root of all, which alone may have processes and children
        leaf = parent / LEAF
        leaf.mkdir(exist_ok=True)
        for _ in range(_MOVES):  # what forks meanwhile is still there
            for pid in (parent / "cgroup.procs").read_text().split():
                with suppress(ProcessLookupError):
                    (leaf / "cgroup.procs").write_text(pid)
    for controller in sorted(lacking):
        switch.write_text(f"+{controller}")


def _own(place: Place) -> Path:
    return place.folder.parent if place.folder.name == LEAF else place.folder


def _usable(controller: str, place: Place) -> bool:
    folder = _own(place)
    if place.version == 2 and controller not in _words(folder / "cgroup.controllers"):  # noqa: PLR2004 - the version
        return False
    ours = place.top or _delegated(folder)
    return ours and os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK)


def _delegated(folder: Path) -> bool:
    with suppress(OSError):
        if os.geteuid() != 0 and folder.stat().st_uid == os.geteuid():
            return True
    for attribute in _DELEGATED:
        with suppress(OSError):
            if os.getxattr(folder, attribute) == b"1":
                return True
    return False


def _kernel() -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _born(pid: int) -> int:
    """When a process started, in ticks since the machine did, which tells it from another of that number; 0: none."""
    try:
        return int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0
