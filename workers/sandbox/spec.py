"""What a sandbox is asked to be, and what is started in it; written to and read from the wire here."""

import re
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args

from workers.sandbox import paths

INSIDE_UID = 1000
WORKSPACE = paths.WORKSPACE
# The layers a host may lack: the namespaces and the dropped capabilities still stand without them.
TOLERABLE = frozenset({"landlock", "seccomp"})
LEAST_OPEN_FILES = 128
LEAST_MEMORY_BYTES = 64 << 20
LEAST_CPU = 0.01
MOST_CPU = 4096.0

Tier = Literal["standard", "strict"]
WorkspaceMode = Literal["read-write", "read-only", "off"]

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PORTS = range(1, 65536)
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one sandbox. Counts are per sandbox, the address space, file and open-file bounds are per process.

    `memory_bytes` and `cpu` (cores, such as 1.5) bound the whole sandbox, 0 = not bounded; the report's layer `limits`
    says by what means this host does so. `disk_bytes` bounds each file here (0 = `file_bytes` alone does); the sum is
    for the worker to watch.
    """

    processes: int = 256
    open_files: int = 1024
    address_space_bytes: int = 8192 * _MIB
    file_bytes: int = 1024 * _MIB
    tmp_bytes: int = 128 * _MIB
    shm_bytes: int = 64 * _MIB
    memory_bytes: int = 0
    cpu: float = 0.0
    disk_bytes: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = 0 if name in {"memory_bytes", "disk_bytes"} else 1
            if name != "cpu" and (not isinstance(value, int) or value < least):
                raise ValueError(f"limits.{name} is {value!r}; it has to be a whole number of {least} or more.")
        if self.open_files < LEAST_OPEN_FILES:
            raise ValueError(f"limits.open_files is {self.open_files}; pid 1 itself needs {LEAST_OPEN_FILES}.")
        if 0 < self.memory_bytes < LEAST_MEMORY_BYTES:
            raise ValueError(f"limits.memory_bytes is {self.memory_bytes}; {LEAST_MEMORY_BYTES} is the least.")
        if self.cpu != 0 and not LEAST_CPU <= self.cpu <= MOST_CPU:
            raise ValueError(f"limits.cpu is {self.cpu}; it has to be 0 or {LEAST_CPU} to {MOST_CPU} cores.")


@dataclass(frozen=True, slots=True)
class Spec:
    """One sandbox.

    `name` is its host name inside (a-z, 0-9, dashes). `workspace` is a folder of the host, absolute, writable inside
    as /workspace; made if missing. `host_uid` is the uid outside that owns its files: needed when the launcher runs as
    root (one for each agent, 1000 or more), ignored otherwise. `listeners` are TCP addresses opened inside and
    accepted outside; these ports alone can be connected to. `bind_ports` are ports a process inside may listen on and
    connect to. `read_only` are more folders shown read-only at the same path. `env` is added to what every process
    finds in its environment. `best_effort` names layers (landlock, seccomp) the operator agrees to go without where
    the kernel lacks them.

    `tier` strict lets nothing be executed that the sandbox can write. `workspace_mode` is how /workspace is seen; off
    leaves an empty folder, and HOME is /tmp. `read_write` are more folders at the same path, which the uid outside has
    to be able to write. `files` are single files of the host shown read-only as /etc/signet/NAME: as they are when the
    sandbox is opened, so write to one in place to change it.
    """

    name: str
    workspace: Path
    host_uid: int | None = None
    listeners: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    env: Mapping[str, str] = field(default_factory=dict)
    read_only: tuple[Path, ...] = ()
    bind_ports: tuple[int, ...] = ()
    best_effort: frozenset[str] = frozenset()
    tier: Tier = "standard"
    workspace_mode: WorkspaceMode = "read-write"
    read_write: tuple[Path, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no sandbox name: 1 to 63 of a-z, 0-9 and -, no dash at the ends.")
        paths.check(self.workspace, self.read_only, self.read_write)
        for inside, source in self.files.items():
            paths.check_file(inside, source)
        for name, value, known in (
            ("tier", self.tier, get_args(Tier)),
            ("workspace_mode", self.workspace_mode, get_args(WorkspaceMode)),
        ):
            if value not in known:
                raise ValueError(f"{name} is {value!r}; it has to be one of {', '.join(known)}.")
        if self.host_uid is not None and self.host_uid < INSIDE_UID:
            raise ValueError(f"host_uid is {self.host_uid}; uids below {INSIDE_UID} belong to the system.")
        for name, (host, port) in self.listeners.items():
            socket.inet_aton(host)
            if not host.startswith("127.") or port not in _PORTS:
                raise ValueError(f"listener {name!r} is {host}:{port}; it has to be a 127.x address and a port.")
        if any(port not in _PORTS for port in self.bind_ports):
            raise ValueError("bind_ports has a number that is no port.")
        if strange := self.best_effort - TOLERABLE:
            raise ValueError(f"best_effort may name {sorted(TOLERABLE)} only, not {sorted(strange)}.")

    @property
    def strict(self) -> bool:
        """Whether nothing writable may be executed."""
        return self.tier == "strict"

    @property
    def home(self) -> str:
        """Where processes start and HOME points: /workspace, or /tmp without one."""
        return "/tmp" if self.workspace_mode == "off" else WORKSPACE  # noqa: S108 - the sandbox's own

    def to_wire(self) -> dict[str, Any]:
        """Write this spec as JSON values."""
        return {
            "name": self.name,
            "workspace": str(self.workspace),
            "host_uid": self.host_uid,
            "listeners": {name: list(address) for name, address in self.listeners.items()},
            "limits": asdict(self.limits),
            "env": dict(self.env),
            "read_only": [str(path) for path in self.read_only],
            "bind_ports": list(self.bind_ports),
            "best_effort": sorted(self.best_effort),
            "tier": self.tier,
            "workspace_mode": self.workspace_mode,
            "read_write": [str(path) for path in self.read_write],
            "files": {inside: str(source) for inside, source in self.files.items()},
        }

    @classmethod
    def from_wire(cls, message: Mapping[str, Any]) -> Self:
        """Read the spec that `to_wire` wrote."""
        return cls(
            name=message["name"],
            workspace=Path(message["workspace"]),
            host_uid=message["host_uid"],
            listeners={name: (host, port) for name, (host, port) in message["listeners"].items()},
            limits=Limits(**message["limits"]),
            env=message["env"],
            read_only=tuple(map(Path, message["read_only"])),
            bind_ports=tuple(message["bind_ports"]),
            best_effort=frozenset(message["best_effort"]),
            tier=message["tier"],
            workspace_mode=message["workspace_mode"],
            read_write=tuple(map(Path, message["read_write"])),
            files={inside: Path(source) for inside, source in message["files"].items()},
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A preloaded function, `module:function`, called with no arguments in a fork of the sandbox's pid 1.

    What it returns is
    the exit code (None is 0); an exception is printed to its stderr and is exit code 1.
    """

    target: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", self.target):
            raise ValueError(f"{self.target!r} is no entry: write module:function.")


@dataclass(frozen=True, slots=True)
class Command:
    """A program by its argv. The first word is looked up on the process's PATH unless it has a slash."""

    argv: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.argv or any("\0" in word for word in self.argv):
            raise ValueError("a command needs at least one word, and no word may have a NUL in it.")
