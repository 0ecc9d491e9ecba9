"""Takes something away from itself that a sandbox needs, then tries to open one.

    python -I crippled.py ROOT HOW FOLDER BEST_EFFORT TIER

Prints `{"layer", "reason", "hint"}` of the refusal, or the report if it opened after all. What is taken away is really
gone: by the kernel's own setting in a user namespace, or by a seccomp filter such as a container has.
"""

import asyncio
import ctypes
import errno
import json
import os
import struct
import sys
from pathlib import Path
from typing import Literal

_LOAD, _JEQ, _JSET, _RET = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _FIRST = 0, 16
_NEWUSER = 0x10000000


def forbid(call: str, code: int, bits: int = 0) -> None:
    """Have a system call fail from now on, if its first argument has one of `bits` (0: always)."""
    from workers.sandbox import linux
    from workers.sandbox.syscalls import machine

    refuse = [(_RET, 0, 0, _ERRNO | code)]
    if bits:
        refuse = [(_LOAD, 0, 0, _FIRST), (_JSET, 0, 1, bits), *refuse]
    rules = [(_LOAD, 0, 0, _NUMBER), (_JEQ, 0, len(refuse), machine().number(call)), *refuse, (_RET, 0, 0, _ALLOW)]
    _install(b"".join(struct.pack("HBBI", *rule) for rule in rules), linux)


def forbid_filters() -> None:
    """Have prctl refuse further filters, as a kernel without them does."""
    from workers.sandbox import linux
    from workers.sandbox.syscalls import machine

    option = linux.PR_SET_SECCOMP
    rules = [
        (_LOAD, 0, 0, _NUMBER),
        (_JEQ, 0, 3, {"x86_64": 157, "aarch64": 167}[machine().name]),
        (_LOAD, 0, 0, _FIRST),
        (_JEQ, 0, 1, option),
        (_RET, 0, 0, _ERRNO | errno.EINVAL),
        (_RET, 0, 0, _ALLOW),
    ]
    _install(b"".join(struct.pack("HBBI", *rule) for rule in rules), linux)


def _install(code: bytes, linux: object) -> None:
    buffer = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)  # type: ignore[attr-defined]  # the module, imported late
    linux.prctl(linux.PR_SET_SECCOMP, 2, head)  # type: ignore[attr-defined]  # the same


def own_namespace(inside: int) -> None:
    """Move into a user namespace where this user is `inside` and nobody else is anybody."""
    from workers.sandbox import linux

    uid, gid = os.geteuid(), os.getegid()
    linux.unshare(_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside} {uid} 1\n")
    Path("/proc/self/gid_map").write_text(f"{inside} {gid} 1\n")


def root_namespace() -> None:
    """As root, move into a user namespace where everybody is who they are outside."""
    from workers.sandbox import linux

    moved, mapped = os.pipe(), os.pipe()
    if os.fork() == 0:
        os.read(moved[0], 1)
        for name in ("uid_map", "gid_map"):
            Path("/proc", str(os.getppid()), name).write_text("0 0 400000\n")
        os.write(mapped[1], b".")
        os._exit(0)
    linux.unshare(_NEWUSER)
    os.write(moved[1], b".")
    os.read(mapped[0], 1)
    os.wait()


def cripple(how: str) -> None:
    """Take it away."""
    if how == "no-userns-setting":
        own_namespace(os.geteuid())
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
    elif how in {"no-userns-for-root", "no-netns-for-root"}:
        root_namespace()
        Path("/proc/sys/user", f"max_{how[3:].removesuffix('ns-for-root')}_namespaces").write_text("0")
    elif how == "container":
        forbid("clone", errno.EPERM, _NEWUSER)
        forbid("unshare", errno.EPERM, _NEWUSER)
    elif how == "rootless":
        own_namespace(0)
    elif how == "no-landlock":
        forbid("landlock_create_ruleset", errno.EOPNOTSUPP)
    elif how == "no-seccomp":
        forbid_filters()


async def main(how: str, folder: str, best_effort: str, tier: Literal["standard", "strict"]) -> None:
    """Print what became of it."""
    from workers.sandbox.errors import SandboxUnavailable
    from workers.sandbox.launcher import Launcher
    from workers.sandbox.spec import Spec

    cripple(how)
    effort = frozenset(filter(None, best_effort.split(",")))
    spec = Spec("crippled", Path(folder, "workspace"), host_uid=200_001, best_effort=effort, tier=tier)
    try:
        async with await Launcher.start() as launcher, await launcher.open(spec) as sandbox:
            told: object = {"report": {layer.name: layer.state for layer in sandbox.report.layers}}
    except SandboxUnavailable as error:
        told = {"layer": error.layer, "reason": error.reason, "hint": error.hint}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    asyncio.run(main(*sys.argv[2:]))  # type: ignore[arg-type]  # the test names a tier there is
