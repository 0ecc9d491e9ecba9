"""Tier `gvisor`: the sandbox runs under gVisor's own kernel (runsc), beneath its own namespaces and seccomp filter."""

import asyncio
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from workers.drivers.engine import BOOT, INSIDE_SOURCES, SOURCES, Program, open_sandbox
from workers.drivers.folder import make as make_folder
from workers.drivers.shown import Shown, shown
from workers.sandbox.cgroups import HINT, Groups
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.group import Group
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import WORKSPACE, Spec
from workers.sandbox.surroundings import environment

_HINT: Final = "Install gVisor (https://gvisor.dev/docs/user_guide/install, or Debian's package runsc)."
_REMOVE_SECONDS: Final = 10.0
RELAY_UID: Final = 65_533
"""Who carries the tunnel inside: not the agent, who could end or trace a process of its own. On the host nobody's."""
_RELAY_MAY: Final = ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"]  # to become the agent and to give these up
_REMOVALS: Final = 40
_OWN_BYTES: Final = 96 << 20
"""What runsc needs for itself."""
_OWN_THREADS: Final = 512
# Enters the groups that are named before the dashes, then becomes what is named after them.
_PLACED: Final = 'while [ "$1" != -- ]; do echo 0 >"$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"'


@dataclass(frozen=True, slots=True)
class Gvisor:
    """Opens sandboxes by `runsc run`. `preload` are the modules whose entries can be started inside."""

    preload: Sequence[str]
    binary: str = "runsc"

    def check(self) -> str:
        """Say why this host cannot give this tier; "" where it can."""
        if shutil.which(self.binary) is None:
            return f"{self.binary} is not on the PATH. {_HINT}"
        if os.geteuid() != 0:
            return "runsc is run by root only; an ordinary user has the tiers standard and strict."
        return ""

    async def open(self, spec: Spec) -> Sandbox:
        """Open a sandbox. Raises SandboxUnavailable."""
        if why := self.check():
            raise SandboxUnavailable(why, layer="gvisor")
        folder = make_folder()
        name = uuid.uuid4().hex
        (folder / "rootfs").mkdir()
        view = shown(spec)
        view.write_root(folder / "rootfs")
        (folder / "config.json").write_text(json.dumps(_config(spec, view)))
        common = (self.binary, "--root", str(folder / "state"), "--network=none", "--ignore-cgroups")
        argv = (*common, "run", "--bundle", str(folder), name)
        group = _group(spec, name)
        where = [str(path) for path in (group.folders.values() if group else ())]
        placed = ("/bin/sh", "-c", _PLACED, "sh", *where, "--", *argv)
        program = Program(placed, "gVisor", own_kernel=True, remove=partial(_remove, common, name, folder, group))
        return await open_sandbox(spec, program, self.preload)


def _group(spec: Spec, name: str) -> Group | None:
    """Bound the engine's processes as a whole, with room for itself; None where nothing asks for it, or nothing can."""
    limits = replace(spec.limits, processes=spec.limits.processes * 4 + _OWN_THREADS)
    if limits.memory_bytes:
        limits = replace(limits, memory_bytes=limits.memory_bytes + _OWN_BYTES)
    groups = Groups.find(os.getpid())
    try:
        return groups.make(name, limits) if groups.serving(limits) else None
    except OSError as error:
        raise SandboxUnavailable(f"{error.filename}: {error.strerror}.", layer="limits", hint=HINT) from error


async def _remove(common: Sequence[str], name: str, folder: Path, group: Group | None) -> None:
    process = await asyncio.create_subprocess_exec(
        *common, "delete", "--force", name, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_REMOVE_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    shutil.rmtree(folder, ignore_errors=True)
    for _ in range(_REMOVALS):
        if group is None or group.remove():
            break
        await asyncio.sleep(0.05)


def _config(spec: Spec, view: Shown) -> dict[str, Any]:
    """Write the bundle's config (OCI runtime spec 1.0.2)."""
    return {
        "ociVersion": "1.0.2",
        "hostname": spec.name,
        "root": {"path": "rootfs", "readonly": True},
        "process": {
            "user": {"uid": RELAY_UID, "gid": RELAY_UID},
            "args": [view.python, "-I", "-c", BOOT, INSIDE_SOURCES],
            "env": [f"{name}={value}" for name, value in environment(spec).items()],
            "cwd": WORKSPACE if spec.workspace_mode != "off" else "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted", "inheritable", "ambient"), _RELAY_MAY),
            "noNewPrivileges": True,
        },
        "mounts": [_mount(*each) for each in _mounts(spec, view)],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
    }


def _mounts(spec: Spec, view: Shown) -> list[tuple[str, str, str, list[str]]]:
    limits = spec.limits
    return [
        ("/proc", "proc", "proc", []),
        ("/tmp", "tmpfs", "tmpfs", [f"size={limits.tmp_bytes}", "mode=1777"]),  # noqa: S108 - the sandbox's own
        ("/dev", "tmpfs", "tmpfs", []),
        ("/dev/shm", "tmpfs", "tmpfs", [f"size={limits.shm_bytes}", "mode=1777"]),  # noqa: S108 - as above
        *((target, "bind", source, ["rbind", "ro"]) for target, source in view.read_only.items()),
        *((target, "bind", source, ["rbind", "rw"]) for target, source in view.read_write.items()),
        (INSIDE_SOURCES + "/workers", "bind", str(SOURCES / "workers"), ["rbind", "ro"]),
    ]


def _mount(destination: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": [*options, "nosuid", "nodev"]}
