"""A policy, read and whole: frozen values that decisions are made from. Every default denies."""

from dataclasses import dataclass, field

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
MAX_DOCUMENT_BYTES = 256 * KIB

TIERS = ("standard", "strict", "gvisor", "container")
ENFORCEMENTS = ("enforce", "audit")
LANDLOCKS = ("required", "best_effort")
WORKSPACES = ("read-write", "read-only", "off")
ACCESSES = ("read-only", "read-write", "full")
TLS_MODES = ("auto", "terminate", "pass")
COMMAND_VERDICTS = ("allow", "ask", "deny")
NETWORK_ASKS = ("ask", "off")

READING = frozenset({"GET", "HEAD", "OPTIONS"})
WRITING = READING | {"POST", "PUT", "PATCH"}
METHODS = {"read-only": READING, "read-write": WRITING}
"""What an `access` lets through; `full`, which is not in it, lets any method through."""


@dataclass(frozen=True, slots=True)
class Filesystem:
    """The folders of a sandbox. `read_only` and `read_write` are host paths, shown at the same place."""

    workspace: str = "read-write"
    read_only: tuple[str, ...] = ()
    read_write: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Process:
    """Bounds of each process."""

    user: str = "agent"
    open_files: int = 1024
    file_bytes: int = GIB


@dataclass(frozen=True, slots=True)
class Resources:
    """Bounds of a whole sandbox; `wall_seconds` is of a run in it. 0 of memory, cpu, disk and wall is no bound."""

    memory_bytes: int = 2 * GIB
    cpu: float = 0.0
    pids: int = 256
    disk_bytes: int = 2 * GIB
    tmp_bytes: int = 128 * MIB
    wall_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests by method (upper case, `*` for any) and by a glob over the path."""

    method: str = "*"
    path: str = "/**"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place that may be reached.

    `host` is a name, `*.` and a name for its direct children, `*` for any name, or an address, all lower case.
    `access` is one of ACCESSES or empty; with neither `access` nor `rules` every request passes that `deny` lets pass.
    `allowed_ips` are networks, or single addresses, that a name may lead to though they are not public.
    """

    host: str
    port: int = 443
    access: str = ""
    tls: str = "auto"
    rules: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    allowed_ips: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether what it lets through does not depend on method and path, `deny` aside."""
        return self.access in {"", "full"} and not self.rules

    @property
    def looks(self) -> bool:
        """Whether it needs method or path to be decided."""
        return not self.open or bool(self.deny)


@dataclass(frozen=True, slots=True)
class Block:
    """Endpoints and the programs that may use them: globs over absolute paths, none for any program."""

    name: str
    endpoints: tuple[Endpoint, ...] = ()
    binaries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """The blocks by name. What is in none of them is denied."""

    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Commands:
    """Globs over the command lines of the tool `exec`: deny wins, then ask, then allow, then `default`."""

    default: str = "allow"
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    ask: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A secret lent to one place: `$env` holds a placeholder, which `header` may carry to host, port and path."""

    name: str
    secret: str
    env: str
    host: str
    port: int = 443
    path: str = "/**"
    header: str = "authorization"


@dataclass(frozen=True, slots=True)
class Approvals:
    """Whether a denied connection is asked for, how long a question waits, and how long the connection is held."""

    network: str = "off"
    wait_seconds: int = 600
    hold_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """All of it. The blocks of presets are in the network already, named `preset.{preset}`.

    `apis`, names without `apis/` in their order, are those of the router's that may be called.
    """

    version: int = 1
    description: str = ""
    tier: str = "standard"
    enforcement: str = "enforce"
    landlock: str = "required"
    filesystem: Filesystem = field(default_factory=Filesystem)
    process: Process = field(default_factory=Process)
    resources: Resources = field(default_factory=Resources)
    network: Network = field(default_factory=Network)
    commands: Commands = field(default_factory=Commands)
    secrets: tuple[SecretUse, ...] = ()
    apis: tuple[str, ...] = ()
    approvals: Approvals = field(default_factory=Approvals)
