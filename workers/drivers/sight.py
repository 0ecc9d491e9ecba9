"""The isolation under another engine, as it is seen from inside."""

import os
import resource
from functools import partial
from typing import Final

from workers.sandbox import limits, namespaces, powers, reach
from workers.sandbox.attempts import create, refused
from workers.sandbox.report import Layer, Report, flag
from workers.sandbox.spec import Spec

_PLACES: Final = ("/", "/usr", "/etc")


def look(spec: Spec, engine: str, host_kernel: str, landlock: int, *, own_kernel: bool) -> Report:
    """Try every layer from the process that all others are forked from. `landlock` is the version in force, or 0."""
    status = namespaces.status()
    return Report(
        (
            _kernel(engine, host_kernel, own_kernel=own_kernel),
            _user(),
            _filesystem(),
            reach.workspace(spec),
            reach.network(),
            powers.capabilities(status),
            powers.no_new_privs(),
            _limits(spec, engine, own_kernel=own_kernel),
            *([] if own_kernel else [flag("landlock", landlock > 0, f"version {landlock}")]),
            _seccomp(status),
        )
    )


def _kernel(engine: str, host_kernel: str, *, own_kernel: bool) -> Layer:
    here = " ".join(os.uname()[2:4])
    if own_kernel:
        return flag("kernel", here != host_kernel, f"{engine}: programs call its kernel ({os.uname().release})")
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
    return flag("limits", len(held) == len(table), f"per process by setrlimit, as a whole by {engine}")


def _user() -> Layer:
    uids, gids = os.getresuid(), os.getresgid()
    own = 0 not in (*uids, *gids) and set(os.getgroups()) <= set(gids)
    return flag("user", own, f"uid {uids[0]}, no groups but its own")


def _filesystem() -> Layer:
    made = [folder for folder in _PLACES if not refused(partial(create, folder), reach.KEEPS_OUT)]
    return flag("filesystem", not made, f"the system is read-only: {', '.join(made or _PLACES)}")


def _seccomp(status: "dict[str, str]") -> Layer:
    return flag("seccomp", status.get("Seccomp") == "2", "the engine's filter and ours")
