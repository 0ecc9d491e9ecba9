"""The isolation under another engine, as it is seen from inside."""

import errno
import os
import resource
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from workers.sandbox import limits, linux, namespaces
from workers.sandbox.report import Layer, Report
from workers.sandbox.spec import WORKSPACE, Spec

_OUTSIDE: Final = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))  # nobody's, for documentation
_PLACES: Final = ("/", "/usr", "/etc")
_DISCARD: Final = 9


def look(spec: Spec, engine: str, host_kernel: str, landlock: int, *, own_kernel: bool) -> Report:
    """Try every layer from the process that all others are forked from. `landlock` is the version in force, or 0."""
    status = namespaces.status()
    return Report(
        (
            _kernel(engine, host_kernel, own_kernel=own_kernel),
            _user(),
            _filesystem(),
            _workspace(spec),
            _network(),
            _flag(
                "capabilities",
                all(mask == 0 for mask in namespaces.capabilities(status).values()),
                "every set is empty",
            ),
            _flag("no_new_privs", linux.prctl(linux.PR_GET_NO_NEW_PRIVS) == 1, "no exec gains privileges"),
            _limits(spec, engine, own_kernel=own_kernel),
            *([] if own_kernel else [_flag("landlock", landlock > 0, f"version {landlock}")]),
            _seccomp(status),
        )
    )


def _kernel(engine: str, host_kernel: str, *, own_kernel: bool) -> Layer:
    here = " ".join(os.uname()[2:4])
    if own_kernel:
        return _flag("kernel", here != host_kernel, f"{engine}: programs call its kernel ({os.uname().release})")
    return Layer("kernel", "partial", f"{engine} shares the host's kernel, {os.uname().release}")


def _limits(spec: Spec, engine: str, *, own_kernel: bool) -> Layer:
    table = limits.table(spec.limits)
    held = [kind for kind, value in table.items() if 0 <= resource.getrlimit(kind)[1] <= value]
    if own_kernel:
        wanted = [resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_AS]
        hint = "As a whole it is bounded where the host gives the worker cgroups." if spec.limits.memory_bytes else ""
        detail = f"{engine}'s kernel bounds open files, file size and address space of each process"
        holds = all(kind in held for kind in wanted)
        return Layer("limits", "partial", detail, hint) if holds else Layer("limits", "absent", f"not so: {detail}")
    return _flag("limits", len(held) == len(table), f"per process by setrlimit, as a whole by {engine}")


def _user() -> Layer:
    uids, gids = os.getresuid(), os.getresgid()
    own = 0 not in (*uids, *gids) and set(os.getgroups()) <= set(gids)
    return _flag("user", own, f"uid {uids[0]}, no groups but its own")


def _filesystem() -> Layer:
    made = [folder for folder in _PLACES if not _refused(partial(_create, folder))]
    return _flag("filesystem", not made, f"the system is read-only: {', '.join(made or _PLACES)}")


def _workspace(spec: Spec) -> Layer:
    writable = os.access(WORKSPACE, os.W_OK)
    wanted = spec.workspace_mode
    if wanted == "read-write":
        return _flag("workspace", writable, f"{WORKSPACE} is writable")
    return _flag("workspace", not writable, f"{WORKSPACE} is {wanted}")


def _network() -> Layer:
    names = [name for _, name in socket.if_nameindex()]
    reached = [address for family, address in _OUTSIDE if not _refused(partial(_connect, family, address))]
    return _flag("network", names == ["lo"] and not reached, f"interfaces: {', '.join(names)}; no route out")


def _seccomp(status: "dict[str, str]") -> Layer:
    return _flag("seccomp", status.get("Seccomp") == "2", "the engine's filter and ours")


def _flag(name: str, holds: bool, detail: str) -> Layer:  # noqa: FBT001 - a finding, always by position
    return Layer(name, "enforced" if holds else "absent", detail if holds else f"not so: {detail}")


def _refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError as error:
        return error.errno != errno.ENOSPC
    return False


def _create(folder: str) -> None:
    path = Path(folder, f".probe-{os.getpid()}")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    path.unlink()


def _connect(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((address, _DISCARD))
