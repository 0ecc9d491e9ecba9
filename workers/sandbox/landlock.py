"""Landlock: a second, independent wall around the file system, TCP ports, abstract sockets and signals."""

import os
import stat
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from workers.sandbox import linux
from workers.sandbox.spec import WORKSPACE, Spec

EXECUTE: Final = 1 << 0
WRITE_FILE: Final = 1 << 1
READ_FILE: Final = 1 << 2
READ_DIR: Final = 1 << 3
MAKE_CHAR: Final = 1 << 6
MAKE_SOCK: Final = 1 << 9
MAKE_FIFO: Final = 1 << 10
MAKE_BLOCK: Final = 1 << 11
MAKE_SYM: Final = 1 << 12
TRUNCATE: Final = 1 << 14
IOCTL_DEV: Final = 1 << 15
BIND_TCP: Final = 1
CONNECT_TCP: Final = 2

# The newest interface whose rights we ask for in full; what an older kernel does not know is left out.
FULL_ABI: Final = 6
NET_ABI: Final = 4
_RIGHTS_BY_ABI: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_SCOPE_ABSTRACT_AND_SIGNAL: Final = 3
_OF_FILES: Final = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_NET_PORT: Final = 2


def abi() -> int:
    """Ask for the version of the kernel's Landlock; 0 if it has none or it is switched off."""
    try:
        return linux.call("landlock_create_ruleset", None, 0, _VERSION)
    except OSError:
        return 0


def file_rights(version: int) -> int:
    """All file-system rights a version knows, as a mask."""
    return (1 << _RIGHTS_BY_ABI.get(version, 16)) - 1


def restrict(spec: Spec, runtime: Sequence[Path]) -> int:
    """Put the rules of `spec` in force for this process and all it starts; the version used, 0 if there was none."""
    version = abi()
    if version == 0:
        return 0
    known = file_rights(version)
    ruleset = _create(version, known)
    everything = known & ~(MAKE_CHAR | MAKE_BLOCK)
    inert = READ_FILE | READ_DIR
    system = [Path("/", name) for name in ("usr", "bin", "sbin", "lib", "lib32", "lib64")]
    _allow(ruleset, [Path("/")], READ_DIR)
    _allow(ruleset, [*system, *runtime, *spec.read_only], inert | EXECUTE)
    # What can be written cannot be executed in a strict sandbox, here again besides in the mounts.
    executable = 0 if spec.strict else EXECUTE
    _allow(ruleset, [Path("/etc"), Path("/proc")], inert | executable)
    writable = [Path("/tmp"), *spec.read_write]  # noqa: S108 - the sandbox's own
    if spec.workspace_mode == "read-write":
        writable.append(Path(WORKSPACE))
    elif spec.workspace_mode == "read-only":
        _allow(ruleset, [Path(WORKSPACE)], inert | executable)
    _allow(ruleset, writable, everything & ~EXECUTE | executable)
    _allow(ruleset, [Path("/dev")], known & (READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | IOCTL_DEV))
    # Shared memory is plain files. That no pipe can be made there is also how the probe sees this layer from inside.
    _allow(ruleset, [Path("/dev/shm")], everything & ~(EXECUTE | MAKE_SOCK | MAKE_FIFO | MAKE_SYM))  # noqa: S108
    if version >= NET_ABI:
        _ports(ruleset, CONNECT_TCP, [port for _, port in spec.listeners.values()])
        _ports(ruleset, CONNECT_TCP | BIND_TCP, spec.bind_ports)
    linux.call("landlock_restrict_self", ruleset, 0)
    os.close(ruleset)
    return version


def _create(version: int, rights: int) -> int:
    net = BIND_TCP | CONNECT_TCP if version >= NET_ABI else 0
    scope = _SCOPE_ABSTRACT_AND_SIGNAL if version >= FULL_ABI else 0
    # An older kernel takes the longer structure as long as what it does not know is zero.
    attributes = struct.pack("QQQ", rights, net, scope)
    return linux.call("landlock_create_ruleset", attributes, len(attributes), 0)


def _allow(ruleset: int, paths: Iterable[Path], rights: int) -> None:
    for path in paths:
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        folder = stat.S_ISDIR(os.fstat(fd).st_mode)
        rule = struct.pack("=Qi", rights if folder else rights & _OF_FILES, fd)
        linux.call("landlock_add_rule", ruleset, _PATH_BENEATH, rule, 0)
        os.close(fd)


def _ports(ruleset: int, rights: int, ports: Iterable[int]) -> None:
    for port in ports:
        linux.call("landlock_add_rule", ruleset, _NET_PORT, struct.pack("QQ", rights, port), 0)
