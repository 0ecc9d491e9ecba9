"""The sections that bound a sandbox: filesystem, process, resources, commands, approvals."""

import re

from signet.policy import words
from signet.policy.model import (
    COMMAND_VERDICTS,
    GIB,
    KIB,
    MIB,
    NETWORK_ASKS,
    WORKSPACES,
    Approvals,
    Commands,
    Filesystem,
    Process,
    Resources,
)
from signet.policy.node import Node
from signet.policy.reader import Reader

FILESYSTEM = ("workspace", "read_only", "read_write")
PROCESS = ("user", "open_files", "file_bytes")
RESOURCES = ("memory", "cpu", "pids", "disk", "tmp", "wall")
COMMANDS = ("default", "allow", "deny", "ask")
APPROVALS = ("network", "wait", "hold")

MAX_PATHS, MAX_PATTERNS, MAX_PATTERN_LETTERS = 64, 200, 1000
_MAX_PATH_LETTERS = 1000
_SIZE = (words.size, words.show_size)
_TIME = (words.seconds, words.show_seconds)
_DAY_SECONDS = 86400

_NEVER = ("/", "/proc", "/sys", "/dev", "/run", "/var/run")
"""Never shown, nor anything below but for `/`: they are the kernel's, or hold the sockets of daemons."""
_SYSTEM = (
    "/bin",
    "/boot",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt",
    "/root",
    "/sbin",
    "/usr",
    "/var/lib",
    "/var/spool",
)
"""Never writable: what is written there the host runs, or believes."""


def filesystem(reader: Reader, node: Node | None) -> Filesystem:
    """Read `filesystem`."""
    found, default = reader.fields(node, "filesystem", FILESYSTEM), Filesystem()
    only = reader.texts(found.get("read_only"), "filesystem.read_only", MAX_PATHS, readable_trouble)
    write = reader.texts(found.get("read_write"), "filesystem.read_write", MAX_PATHS, writable_trouble)
    for path in set(only) & set(write):
        reader.problem(found["read_write"], "filesystem.read_write", f"{path!r} is in read_only too; choose one")
    workspace = reader.choice(found.get("workspace"), "filesystem.workspace", default.workspace, WORKSPACES)
    return Filesystem(workspace, only, write)


def process(reader: Reader, node: Node | None) -> Process:
    """Read `process`."""
    found, default = reader.fields(node, "process", PROCESS), Process()
    return Process(
        user=reader.checked(found.get("user"), "process.user", default.user, _user_trouble),
        open_files=reader.whole(found.get("open_files"), "process.open_files", default.open_files, 128, 65536),
        file_bytes=reader.amount(
            found.get("file_bytes"), "process.file_bytes", default.file_bytes, (MIB, KIB * GIB), _SIZE
        ),
    )


def resources(reader: Reader, node: Node | None) -> Resources:
    """Read `resources`."""
    found, default = reader.fields(node, "resources", RESOURCES), Resources()

    def size(key: str, usual: int, least: int, most: int, *, zero: bool) -> int:
        return reader.amount(found.get(key), f"resources.{key}", usual, (least, most), _SIZE, zero=zero)

    return Resources(
        memory_bytes=size("memory", default.memory_bytes, 64 * MIB, 64 * KIB * GIB, zero=True),
        cpu=reader.decimal(found.get("cpu"), "resources.cpu", default.cpu, 0.05, 1024),
        pids=reader.whole(found.get("pids"), "resources.pids", default.pids, 16, 32768),
        disk_bytes=size("disk", default.disk_bytes, MIB, 64 * KIB * GIB, zero=True),
        tmp_bytes=size("tmp", default.tmp_bytes, MIB, 64 * GIB, zero=False),
        wall_seconds=reader.amount(
            found.get("wall"), "resources.wall", default.wall_seconds, (1, _DAY_SECONDS), _TIME, zero=True
        ),
    )


def commands(reader: Reader, node: Node | None) -> Commands:
    """Read `commands`."""
    found, default = reader.fields(node, "commands", COMMANDS), Commands()

    def globs(key: str) -> tuple[str, ...]:
        return reader.texts(found.get(key), f"commands.{key}", MAX_PATTERNS, _pattern_trouble)

    return Commands(
        default=reader.choice(found.get("default"), "commands.default", default.default, COMMAND_VERDICTS),
        allow=globs("allow"),
        deny=globs("deny"),
        ask=globs("ask"),
    )


def approvals(reader: Reader, node: Node | None) -> Approvals:
    """Read `approvals`."""
    found, default = reader.fields(node, "approvals", APPROVALS), Approvals()
    return Approvals(
        network=reader.choice(found.get("network"), "approvals.network", default.network, NETWORK_ASKS),
        wait_seconds=reader.amount(
            found.get("wait"), "approvals.wait", default.wait_seconds, (10, _DAY_SECONDS), _TIME
        ),
        hold_seconds=reader.amount(found.get("hold"), "approvals.hold", default.hold_seconds, (0, 120), _TIME),
    )


def path_trouble(path: str) -> str:
    """Say what is wrong with an absolute path; empty where nothing is."""
    if not path.startswith("/") or path.startswith("//"):
        return "must be an absolute path"
    if len(path) > _MAX_PATH_LETTERS or not path.isprintable():
        return f"must be printable and at most {_MAX_PATH_LETTERS} characters"
    if path != "/" and any(part in {"", ".", ".."} for part in path[1:].split("/")):
        return "must be a plain path: no . or .., no double slash, no slash at its end"
    return ""


def readable_trouble(path: str) -> str:
    """Say why a folder of the host cannot be shown; empty where it can."""
    if said := path_trouble(path):
        return said
    return (
        "is never shown inside: name a folder below" if path == "/" else _within(path, _NEVER, "is never shown inside")
    )


def writable_trouble(path: str) -> str:
    """Say why a folder of the host cannot be writable; empty where it can."""
    return readable_trouble(path) or _within(path, _SYSTEM, "is the host's own and never writable inside")


def _within(path: str, folders: tuple[str, ...], said: str) -> str:
    return said if any(path == folder or path.startswith(f"{folder}/") for folder in folders if folder != "/") else ""


def _user_trouble(user: str) -> str:
    return "" if user == "agent" else "is no user of a sandbox: there is only agent (uid 1000), and never root"


def _pattern_trouble(glob: str) -> str:
    if not glob.strip() or len(glob) > MAX_PATTERN_LETTERS or not re.fullmatch(r"[^\x00-\x1f\x7f]+", glob):
        return f"must be 1 to {MAX_PATTERN_LETTERS} printable characters, in which * stands for any"
    return ""
