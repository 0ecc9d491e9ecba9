"""Which namespaces a sandbox has, how its user is mapped, and why a host may refuse them."""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from workers.sandbox import linux
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.spec import INSIDE_UID

NAMES: Final = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
ALL_BUT_USER: Final = linux.NEWNS | linux.NEWPID | linux.NEWNET | linux.NEWIPC | linux.NEWUTS | linux.NEWCGROUP
_CAP_SYS_ADMIN: Final = 21
_CAP_SETUID: Final = 7
_KNOBS: Final = (
    # path below /proc/sys, the value that forbids, the one that allows
    *((f"user/max_{name}_namespaces", "0", "15000") for name in NAMES),
    ("kernel/unprivileged_userns_clone", "0", "1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "0"),
)


@dataclass(frozen=True, slots=True)
class Host:
    """Where sandboxes are launched from.

    `as_root`: the user is a root who can make the other namespaces without a user namespace first.
    """

    uid: int
    gid: int
    as_root: bool
    namespaces: Mapping[str, str]

    @classmethod
    def here(cls) -> Self:
        """Look around in this process."""
        needed = 1 << _CAP_SYS_ADMIN | 1 << _CAP_SETUID
        as_root = os.geteuid() == 0 and capabilities(status())["CapEff"] & needed == needed
        return cls(os.geteuid(), os.getegid(), as_root, identities())


def status() -> dict[str, str]:
    """Read what the kernel says of this process in /proc/self/status."""
    pairs = (line.partition(":") for line in Path("/proc/self/status").read_text().splitlines())
    return {name: value.strip() for name, _, value in pairs}


def capabilities(of: Mapping[str, str]) -> dict[str, int]:
    """Pick the five capability sets from `status`, as masks (CapInh, CapPrm, CapEff, CapBnd, CapAmb)."""
    return {name: int(value, 16) for name, value in of.items() if name.startswith("Cap")}


def identities() -> dict[str, str]:
    """Read the identity of each namespace this process is in, such as `net:[4026531840]`."""
    return {name: str(Path("/proc/self/ns", name).readlink()) for name in NAMES}


def create(*, as_root: bool) -> int:
    """Fork into new namespaces: 0 in the child, else its pid.

    As root the user namespace is left for later, so that mounts
    can show what only root may read, and the network belongs to the host's root and not to the sandbox's user.
    """
    try:
        return linux.clone(ALL_BUT_USER if as_root else ALL_BUT_USER | linux.NEWUSER)
    except OSError as error:
        raise explain(error) from error


def map_user(pid: int | str, host_uid: int, host_gid: int) -> None:
    """Let uid 1000 inside the user namespace of a process be `host_uid` outside, and nobody else be anybody.

    `pid` is "self" for an ordinary user's own map; root writes that of another process, after it has its namespace.
    """
    folder = Path("/proc", str(pid))
    if pid == "self":
        Path(folder, "setgroups").write_text("deny")
    Path(folder, "gid_map").write_text(f"{INSIDE_UID} {host_gid} 1\n")
    Path(folder, "uid_map").write_text(f"{INSIDE_UID} {host_uid} 1\n")


def is_mapped(uid: int) -> bool:
    """Whether a uid exists here: in a container, many do not."""
    ranges = (line.split() for line in Path("/proc/self/uid_map").read_text().splitlines())
    return any(int(first) <= uid < int(first) + int(count) for first, _, count in ranges)


def own_user() -> None:
    """Move this process into a new user namespace, in which it is nobody until `map_user`."""
    try:
        linux.unshare(linux.NEWUSER)
    except OSError as error:
        raise explain(error) from error


def remedy() -> str:
    """Name the setting of this host that forbids namespaces and how to change it; "" if no known one does."""
    for knob, forbids, allows in _KNOBS:
        path = Path("/proc/sys", knob)
        if path.exists() and path.read_text().strip() == forbids:
            setting = knob.replace("/", ".")
            return f"{setting} is {forbids}; as root: sysctl -w {setting}={allows}"
    return ""


def explain(error: OSError) -> SandboxUnavailable:
    """Say why the kernel refused namespaces, naming the setting to change where one of the known ones is to blame."""
    hint = remedy()
    if not hint and error.errno == errno.ENOSPC:
        hint = "All that are allowed are in use: raise sysctl user.max_user_namespaces and the other user.max_*."
    elif not hint:
        hint = (
            "Inside a container, its seccomp or AppArmor profile has to allow clone and unshare with CLONE_NEWUSER; on "
            "a host, look at the sysctls user.max_user_namespaces and kernel.unprivileged_userns_clone."
        )
    code = errno.errorcode.get(error.errno or 0, "unknown error")
    return SandboxUnavailable(f"the kernel refused new namespaces ({code}).", layer="namespaces", hint=hint)
