"""The isolation as it is seen from inside: every layer is tried, in the process that all others are forked from.

Each attempt is one that only its own layer refuses, so a layer that is missing is not hidden by the one behind it.
"""

import errno
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from workers.sandbox import cgroups, landlock, limits, linux, namespaces
from workers.sandbox.report import Layer, Report
from workers.sandbox.spec import INSIDE_UID, WORKSPACE, Spec

_OUTSIDE: Final = (
    (socket.AF_INET, "192.0.2.1"),
    (socket.AF_INET6, "2001:db8::1"),
)  # addresses of documentation, nobody's
_OWN_MOUNTS: Final = ("/tmp", "/dev/", "/proc")  # noqa: S108 - the sandbox's own
_KEEPS_OUT: Final = {errno.EROFS, errno.EACCES, errno.EPERM}
_DISCARD: Final = 9


@dataclass(frozen=True, slots=True)
class Outside:
    """What the probe compares with.

    The host, the Landlock version in force, the name of an abstract socket which listens in this network namespace
    but was made before Landlock, and the controllers of the group that bounds the sandbox.
    """

    host: namespaces.Host
    landlock: int
    witness: str
    grouped: tuple[str, ...] = ()


def probe(spec: Spec, outside: Outside) -> Report:
    """Try every layer. Takes about a millisecond; leaves nothing behind."""
    status = namespaces.status()
    return Report(
        (
            _user(spec, outside),
            _namespaces(outside),
            _filesystem(spec),
            _workspace(spec),
            _network(),
            _flag(
                "capabilities",
                all(mask == 0 for mask in namespaces.capabilities(status).values()),
                "all five sets are empty",
            ),
            _flag("no_new_privs", linux.prctl(linux.PR_GET_NO_NEW_PRIVS) == 1, "no exec gains privileges"),
            _flag("dumpable", linux.prctl(linux.PR_GET_DUMPABLE) == 0, "pid 1 cannot be read or traced"),
            _limits(spec, outside),
            _landlock(spec, outside),
            _seccomp(status),
        )
    )


def _user(spec: Spec, outside: Outside) -> Layer:
    inside, host, count = map(int, Path("/proc/self/uid_map").read_text().split())
    mapped = (inside, count) == (INSIDE_UID, 1) and os.getresuid() == (INSIDE_UID,) * 3
    # An ordinary user cannot give up groups; root has.
    own = not outside.host.as_root or (host == spec.host_uid and not os.getgroups())
    detail = f"uid {inside} here is uid {host} of the host" + (
        "" if outside.host.as_root else ", which is the worker's own"
    )
    return _flag("user", mapped and own, detail)


def _namespaces(outside: Outside) -> Layer:
    here = namespaces.identities()
    shared = [name for name in namespaces.NAMES if here[name] == outside.host.namespaces[name]]
    return _flag(
        "namespaces",
        not shared,
        f"{', '.join(shared)} shared with the host" if shared else ", ".join(here) + " are own",
    )


def _filesystem(spec: Spec) -> Layer:
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    writable = [fields[4] for fields in mounts if "rw" in fields[5].split(",")]
    expected = (*_OWN_MOUNTS, *([WORKSPACE] if spec.workspace_mode == "read-write" else []), *map(str, spec.read_write))
    strange = [target for target in writable if not target.startswith(expected)]
    places = ("/", "/usr", "/etc", "/dev")
    made = [folder for folder in places if not _refused(partial(_create, folder), _KEEPS_OUT)]
    if strange or made:
        return Layer("filesystem", "absent", f"writable: {', '.join([*strange, *made])}")
    return Layer("filesystem", "enforced", f"the system is read-only, {len(writable)} mounts of its own are writable")


def _workspace(spec: Spec) -> Layer:
    writable = [*([WORKSPACE] if spec.workspace_mode == "read-write" else []), *map(str, spec.read_write)]
    for folder in writable:
        try:
            _write_to(folder)
        except OSError as error:
            reason = f"{folder} is not writable: {error.strerror}"
            return Layer("workspace", "absent", reason, "Give the folder to the host uid.")
    if spec.workspace_mode != "read-write" and not _refused(partial(_create, WORKSPACE), _KEEPS_OUT):
        return Layer("workspace", "absent", f"{WORKSPACE} is writable, though it is {spec.workspace_mode}")
    state = {"read-write": "writable", "read-only": "read-only", "off": "not shown"}[spec.workspace_mode]
    more = f"; writable besides: {', '.join(map(str, spec.read_write))}" if spec.read_write else ""
    return Layer("workspace", "enforced", state + more)


def _network() -> Layer:
    names = [name for _, name in socket.if_nameindex()]
    reached = [address for family, address in _OUTSIDE if not _refused(partial(_route, family, address))]
    if names != ["lo"] or reached:
        return Layer("network", "absent", f"interfaces {', '.join(names)}; route to {', '.join(reached) or 'nowhere'}")
    return Layer("network", "enforced", "only lo, no route out")


def _limits(spec: Spec, outside: Outside) -> Layer:
    """See that each limit is in force, and by what: the group's name is read where the kernel says what one is in."""
    memberships = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    version = 1 if any("memory" in names or "cpu" in names for _, names, _ in memberships) else 2
    strangers = [name for name in outside.grouped if not _in_group(name, memberships)]
    if strangers or not limits.in_force(spec.limits, outside.grouped):
        what = f"not in a group for {', '.join(strangers)}" if strangers else "not in force: limits by setrlimit"
        return Layer("limits", "absent", what)
    by = f"cgroup v{version} ({', '.join(outside.grouped)}), rlimits" if outside.grouped else "rlimits"
    lacks = []
    if spec.limits.memory_bytes and "memory" not in outside.grouped:
        lacks.append("memory by address space, and by pid 1, which looks 5 times a second and ends the largest process")
    if spec.limits.cpu and "cpu" not in outside.grouped:
        lacks.append("cpu not bounded")
    if lacks:
        return Layer("limits", "partial", f"{by}; {'; '.join(lacks)}", cgroups.HINT)
    return Layer("limits", "enforced", by)


def _in_group(controller: str, memberships: Sequence[Sequence[str]]) -> bool:
    mine = {name: path for _, names, path in memberships for name in names.split(",")}
    return cgroups.PREFIX in mine.get(controller, mine.get("", ""))


def _landlock(spec: Spec, outside: Outside) -> Layer:
    if outside.landlock == 0:
        hint = "Linux 5.13 or newer with landlock in the kernel's lsm= list."
        return Layer("landlock", "absent", "this kernel has no Landlock", hint)
    failed = [name for name, holds in _landlock_attempts(spec, outside).items() if not holds]
    if failed:
        return Layer("landlock", "absent", f"version {outside.landlock} did not hold: {', '.join(failed)}")
    if outside.landlock < landlock.FULL_ABI:
        lacks = "scopes" if outside.landlock >= landlock.NET_ABI else "TCP ports and scopes"
        return Layer(
            "landlock", "partial", f"version {outside.landlock}, without {lacks}", "Linux 6.12 or newer has all of it."
        )
    return Layer("landlock", "enforced", f"version {outside.landlock}: files, TCP ports, abstract sockets, signals")


def _landlock_attempts(spec: Spec, outside: Outside) -> dict[str, bool]:
    denied = {errno.EACCES}
    attempts = {"files": _refused(_make_pipe, denied)}
    if outside.landlock >= landlock.NET_ABI:
        open_ports = {port for _, port in spec.listeners.values()} | set(spec.bind_ports)
        closed = next(port for port in range(_DISCARD, 1 << 16) if port not in open_ports)
        attempts["connect"] = _refused(lambda: _connect(closed), denied)
        attempts["bind"] = _refused(lambda: _bind(closed), denied)
    if outside.landlock >= landlock.FULL_ABI:
        attempts["abstract sockets"] = _refused(lambda: _greet(outside.witness), {errno.EPERM})
    return attempts


def _seccomp(status: Mapping[str, str]) -> Layer:
    attempts: dict[str, tuple[Callable[[], object], int]] = {
        "unshare": (lambda: linux.call("unshare", 0), errno.EPERM),
        "process_vm_readv": (lambda: linux.call("process_vm_readv", os.getpid(), None, 0, None, 0, 0), errno.EPERM),
        "io_uring_setup": (lambda: linux.call("io_uring_setup", 0, None), errno.EPERM),
        "clone3": (lambda: linux.call("clone3", None, 0), errno.ENOSYS),
    }
    held = [name for name, (attempt, number) in attempts.items() if not _refused(attempt, {number})]
    if status["Seccomp"] != "2" or held:
        hint = "The kernel needs CONFIG_SECCOMP_FILTER."
        return Layer(
            "seccomp", "absent", f"mode {status['Seccomp']}; allowed: {', '.join(held) or 'nothing tried'}", hint
        )
    return Layer(
        "seccomp", "enforced", "filter mode; unshare, process_vm_readv, io_uring_setup and clone3 were refused"
    )


def _flag(name: str, holds: bool, detail: str) -> Layer:  # noqa: FBT001 - a finding, always by position
    return Layer(name, "enforced" if holds else "absent", detail if holds else f"not so: {detail}")


def _refused(attempt: Callable[[], object], expected: set[int] | None = None) -> bool:
    try:
        attempt()
    except OSError as error:
        return expected is None or error.errno in expected
    return False


def _write_to(folder: str) -> None:
    """Open an unnamed file there, or see by its mode that one could, where the file system has none."""
    if not Path(folder).is_dir():
        os.close(os.open(folder, os.O_WRONLY))
        return
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600))
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP or not os.access(folder, os.W_OK):
            raise


def _create(folder: str) -> None:
    path = Path(folder, f".probe-{os.getpid()}")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    path.unlink()


def _make_pipe() -> None:
    path = Path("/dev/shm", f".probe-{os.getpid()}")  # noqa: S108 - the sandbox's own
    os.mkfifo(path)
    path.unlink()


def _route(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((address, _DISCARD))


def _connect(port: int) -> None:
    with socket.socket() as sock:
        sock.connect(("127.0.0.1", port))


def _bind(port: int) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", port))


def _greet(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("\0" + name)
