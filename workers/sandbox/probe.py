"""The isolation as it is seen from inside: every layer is tried, in the process that all others are forked from.

Each attempt is one that only its own layer refuses, so a layer that is missing is not hidden by the one behind it.
"""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from workers.sandbox import cgroups, limits, linux, namespaces, powers, reach
from workers.sandbox.attempts import create, refused, remember
from workers.sandbox.report import Layer, Report, flag
from workers.sandbox.spec import INSIDE_UID, WORKSPACE, Spec

_OWN_MOUNTS: Final = ("/tmp", "/dev/", "/proc")  # noqa: S108 - the sandbox's own
_LOOKS: Final = "which looks 5 times a second and ends the largest process"


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
    calls = powers.calls(status)
    return Report(
        (
            _user(spec, outside),
            _namespaces(outside),
            _filesystem(spec),
            reach.workspace(spec),
            reach.network(),
            reach.egress(spec),
            powers.capabilities(status),
            powers.no_new_privs(),
            flag("dumpable", linux.prctl(linux.PR_GET_DUMPABLE) == 0, "pid 1 cannot be read or traced"),
            powers.injection(filtered=calls.state == "enforced"),
            _limits(spec, outside),
            reach.rules(spec, outside.landlock, outside.witness),
            calls,
            powers.tier(spec, outside.landlock),
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
    return flag("user", mapped and own, detail)


def _namespaces(outside: Outside) -> Layer:
    here = namespaces.identities()
    shared = [name for name in namespaces.NAMES if here[name] == outside.host.namespaces[name]]
    return flag(
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
    made = [folder for folder in places if not refused(partial(create, folder), reach.KEEPS_OUT)]
    if strange or made:
        return Layer("filesystem", "absent", f"writable: {', '.join([*strange, *made])}")
    return Layer("filesystem", "enforced", f"the system is read-only, {len(writable)} mounts of its own are writable")


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
        files = "no files in memory" if refused(remember, {errno.EPERM}) else "files in memory not bounded"
        lacks.append(f"memory by address space, and by pid 1 ({_LOOKS}); {files}")
    if spec.limits.cpu and "cpu" not in outside.grouped:
        lacks.append("cpu not bounded")
    if lacks:
        return Layer("limits", "partial", f"{by}; {'; '.join(lacks)}", cgroups.HINT)
    return Layer("limits", "enforced", by)


def _in_group(controller: str, memberships: Sequence[Sequence[str]]) -> bool:
    mine = {name: path for _, names, path in memberships for name in names.split(",")}
    return cgroups.PREFIX in mine.get(controller, mine.get("", ""))
