"""The part of the probe which looks how far a sandbox reaches: workspace, network, ports, and Landlock's rules."""

import errno
import socket
from functools import partial
from pathlib import Path
from typing import Final

from workers.sandbox import attempts, landlock
from workers.sandbox.attempts import refused
from workers.sandbox.report import Layer
from workers.sandbox.spec import WORKSPACE, Spec

_OUTSIDE: Final = (
    (socket.AF_INET, "192.0.2.1"),
    (socket.AF_INET6, "2001:db8::1"),
)  # addresses of documentation, nobody's
KEEPS_OUT: Final = {errno.EROFS, errno.EACCES, errno.EPERM}
"""How a place that cannot be written says so."""
_COUNTS: Final = ("sockstat", "sockstat6")


def network() -> Layer:
    """See that there is no interface but lo, and no way to anywhere."""
    names = [name for _, name in socket.if_nameindex()]
    reached = [address for family, address in _OUTSIDE if not refused(partial(attempts.route, family, address))]
    if names != ["lo"] or reached:
        return Layer("network", "absent", f"interfaces {', '.join(names)}; route to {', '.join(reached) or 'nowhere'}")
    return Layer("network", "enforced", "only lo, no route out")


def egress(spec: Spec) -> Layer:
    """See that there is no socket in this network but those that are accepted on outside."""
    found = {name: count for table in _COUNTS for name, count in _sockets(table)}
    if found.pop("TCP", 0) != len(spec.listeners) or any(found.values()):
        return Layer("egress", "absent", f"there are other sockets than the {len(spec.listeners)} listeners")
    ways = ", ".join(f"{host}:{port} ({name})" for name, (host, port) in spec.listeners.items())
    return Layer("egress", "enforced", f"the only way out is {ways}" if ways else "no way out")


def workspace(spec: Spec) -> Layer:
    """See that the workspace can be written, or not, as it was wanted."""
    writable = [*([WORKSPACE] if spec.workspace_mode == "read-write" else []), *map(str, spec.read_write)]
    for folder in writable:
        try:
            attempts.write_to(folder)
        except OSError as error:
            reason = f"{folder} is not writable: {error.strerror}"
            return Layer("workspace", "absent", reason, "Give the folder to the host uid.")
    if spec.workspace_mode != "read-write" and not refused(partial(attempts.create, WORKSPACE), KEEPS_OUT):
        return Layer("workspace", "absent", f"{WORKSPACE} is writable, though it is {spec.workspace_mode}")
    state = {"read-write": "writable", "read-only": "read-only", "off": "not shown"}[spec.workspace_mode]
    more = f"; writable besides: {', '.join(map(str, spec.read_write))}" if spec.read_write else ""
    return Layer("workspace", "enforced", state + more)


def rules(spec: Spec, version: int, witness: str) -> Layer:
    """Try what only Landlock refuses. `version` is that in force, `witness` an abstract socket made before it was."""
    if version == 0:
        hint = "Linux 5.13 or newer with landlock in the kernel's lsm= list."
        return Layer("landlock", "absent", "this kernel has no Landlock", hint)
    failed = [name for name, holds in _tries(spec, version, witness).items() if not holds]
    if failed:
        return Layer("landlock", "absent", f"ABI {version} did not hold: {', '.join(failed)}")
    if version < landlock.FULL_ABI:
        lacks = "scopes" if version >= landlock.NET_ABI else "TCP ports and scopes"
        hint = "Linux 6.12 or newer has all of it."
        return Layer("landlock", "partial", f"ABI {version}, without {lacks}; {_describe(spec, version)}", hint)
    detail = f"ABI {version}: files, TCP ports, abstract sockets, signals; {_describe(spec, version)}"
    return Layer("landlock", "enforced", detail)


def _sockets(table: str) -> list[tuple[str, int]]:
    """Count the sockets of this network by kind. Their list in /proc/net/tcp takes the kernel many milliseconds."""
    try:
        rows = [line.split() for line in Path("/proc/net", table).read_text().splitlines()]
    except FileNotFoundError:  # no IPv6 here
        return []
    return [(row[0].rstrip(":"), int(row[2])) for row in rows if row[1] == "inuse"]


def _tries(spec: Spec, version: int, witness: str) -> dict[str, bool]:
    denied = {errno.EACCES}
    tries = {"files": refused(attempts.make_pipe, denied)}
    if version >= landlock.NET_ABI:
        open_ports = {port for _, port in spec.listeners.values()} | set(spec.bind_ports)
        closed = next(port for port in range(attempts.DISCARD, 1 << 16) if port not in open_ports)
        tries["connect"] = refused(lambda: attempts.connect(closed), denied)
        tries["bind"] = refused(lambda: attempts.bind(closed), denied)
    if version >= landlock.FULL_ABI:
        tries["abstract sockets"] = refused(lambda: attempts.greet(witness), {errno.EPERM})
    return tries


def _describe(spec: Spec, version: int) -> str:
    writable = ["/tmp", "/dev/shm", *map(str, spec.read_write)]  # noqa: S108 - the sandbox's own
    if spec.workspace_mode == "read-write":
        writable.insert(0, WORKSPACE)
    parts = [f"write to {', '.join(writable)}", "execute read-only trees alone" if spec.strict else "execute"]
    if version >= landlock.NET_ABI:
        ports = sorted({port for _, port in spec.listeners.values()} | set(spec.bind_ports))
        parts.append(f"connect to {', '.join(map(str, ports)) or 'nothing'}")
        parts.append(f"bind {', '.join(map(str, sorted(spec.bind_ports))) or 'nothing'}")
    return "; ".join(parts)
