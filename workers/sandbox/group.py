"""The group of one sandbox, by whose means the kernel bounds it as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from workers.sandbox.spec import Limits

_PERIOD_MICROS: Final = 100_000
_LEAST_QUOTA_MICROS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Group:
    """Its folders, by controller; with version 2 they are one."""

    version: int
    folders: Mapping[str, Path]

    @classmethod
    def make(cls, version: int, folders: Mapping[str, Path], limits: Limits) -> Self:
        """Make the folders and write the limits to them. OSError if the host refuses; then nothing is left."""
        group = cls(version, dict(folders))
        try:
            for folder in set(group.folders.values()):
                folder.mkdir()
            for controller, folder in group.folders.items():
                for name, value in settings(version, controller, limits).items():
                    (folder / name).write_text(value)
                _forbid_swap(version, controller, folder, limits)
        except OSError:
            group.remove()
            raise
        return group

    def to_wire(self) -> dict[str, Any]:
        """Write it as JSON values."""
        return {"version": self.version, "folders": {name: str(folder) for name, folder in self.folders.items()}}

    @classmethod
    def from_wire(cls, message: Mapping[str, Any]) -> Self:
        """Read the group that `to_wire` wrote."""
        return cls(message["version"], {name: Path(folder) for name, folder in message["folders"].items()})

    @property
    def controllers(self) -> tuple[str, ...]:
        """What it bounds."""
        return tuple(self.folders)

    def place(self, pid: int) -> None:
        """Move a process there; what it forks from now on is there too. OSError if the host refuses."""
        for folder in set(self.folders.values()):
            (folder / "cgroup.procs").write_text(str(pid))

    def read(self, controller: str, name: str) -> int | None:
        """Read a number of a controller, None if there is no such controller or file."""
        try:
            return int((self.folders[controller] / name).read_text())
        except (KeyError, OSError, ValueError):
            return None

    def remove(self) -> bool:
        """Remove it; False if there is still a process in it, which may be just about to go."""
        for folder in set(self.folders.values()):
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True


def settings(version: int, controller: str, limits: Limits) -> dict[str, str]:
    """List the files that bound a controller, and what is written to each."""
    quota = max(_LEAST_QUOTA_MICROS, round(limits.cpu * _PERIOD_MICROS))
    if version == 1:
        return {
            "memory": {"memory.limit_in_bytes": str(limits.memory_bytes)},
            "cpu": {"cpu.cfs_period_us": str(_PERIOD_MICROS), "cpu.cfs_quota_us": str(quota)},
            "pids": {"pids.max": str(limits.processes)},
        }[controller]
    return {
        "memory": {"memory.max": str(limits.memory_bytes)},
        "cpu": {"cpu.max": f"{quota} {_PERIOD_MICROS}"},
        "pids": {"pids.max": str(limits.processes)},
    }[controller]


def _forbid_swap(version: int, controller: str, folder: Path, limits: Limits) -> None:
    """Let swap not add to the memory, where the kernel counts it."""
    if controller != "memory":
        return
    name, value = (
        ("memory.memsw.limit_in_bytes", str(limits.memory_bytes)) if version == 1 else ("memory.swap.max", "0")
    )
    if (folder / name).exists():
        (folder / name).write_text(value)
