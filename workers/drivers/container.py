"""Tier `container`: the sandbox runs in a container of Podman or Docker, with our own layers on beneath it.

The image is empty, made on the spot from the root's few files; programs are the host's, shown read-only.
"""

import asyncio
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from workers.drivers.engine import BOOT, INSIDE_SOURCES, SOURCES, Program, open_sandbox
from workers.drivers.shown import Shown, shown
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import INSIDE_UID, WORKSPACE, Spec
from workers.sandbox.surroundings import environment

ENGINES: Final = ("podman", "docker")
_HINT: Final = "Install and start Podman or Docker, or choose the tier standard, strict or gvisor."
_ENGINE_SECONDS: Final = 30.0
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Container:
    """Opens sandboxes by `podman run` or `docker run`, whichever answers first of `engines`."""

    preload: Sequence[str]
    engines: tuple[str, ...] = ENGINES

    def check(self) -> str:
        """Say why this host cannot give this tier; "" where it can. Asks the engines, which takes a moment."""
        problems = []
        for engine in self.engines:
            problem = _problem(engine)
            if not problem:
                return ""
            problems.append(problem)
        return f"{'; '.join(problems)}. {_HINT}"

    async def open(self, spec: Spec) -> Sandbox:
        """Open a sandbox. Raises SandboxUnavailable."""
        engine = await asyncio.to_thread(self._engine)
        view = shown(spec)
        image = await asyncio.to_thread(_image, engine, view)
        name = f"signet-{uuid.uuid4().hex}"
        argv = (engine, "run", "--rm", "--interactive", "--name", name, *_options(spec, view, engine), image)
        argv += (view.python, "-I", "-c", BOOT, INSIDE_SOURCES)
        program = Program(argv, engine.capitalize(), own_kernel=False, remove=partial(_remove, engine, name))
        return await open_sandbox(spec, program, self.preload)

    def _engine(self) -> str:
        for engine in self.engines:
            if not _problem(engine):
                return engine
        raise SandboxUnavailable(self.check(), layer="container")


def _problem(engine: str) -> str:
    if shutil.which(engine) is None:
        return f"{engine} is not on the PATH"
    said = _run([engine, "info"])
    return "" if said.returncode == 0 else f"{engine} does not run: {_last(said.stderr)}"


def _image(engine: str, view: Shown) -> str:
    """Make the image of an empty root, or find the one that was made of the same before."""
    packed = _root(view)
    image = f"localhost/signet-root:{hashlib.sha256(packed).hexdigest()[:32]}"
    if _run([engine, "image", "inspect", image]).returncode:
        said = _run([engine, "import", "-", image], packed)
        if said.returncode:
            raise SandboxUnavailable(f"{engine} import: {_last(said.stderr)}.", layer="container")
    return image


def _root(view: Shown) -> bytes:
    """Pack the root: the same files give the same bytes."""
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=packed, mode="w") as tar:
        view.write_root(Path(folder))
        for path in sorted(Path(folder).rglob("*")):
            info = tar.gettarinfo(path, str(path.relative_to(folder)))
            info.mtime, info.uid, info.gid, info.mode = 0, 0, 0, 0o755 if path.is_dir() else 0o644
            if info.name == "tmp":  # of which Podman makes the mode of what it mounts there
                info.mode = 0o1777
            tar.addfile(info, io.BytesIO(path.read_bytes()) if info.isreg() else None)
    return packed.getvalue()


def _options(spec: Spec, view: Shown, engine: str) -> Iterator[str]:
    limits, uid = spec.limits, spec.host_uid or INSIDE_UID
    yield from ("--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--ipc=private")
    yield from (f"--hostname={spec.name}", f"--user={uid}:{uid}", "--log-driver=none", "--pull=never")
    if engine == "podman":
        yield from ("--read-only-tmpfs=false", "--cgroupns=private")
    if os.geteuid() != 0 and engine == "podman":
        yield f"--userns=keep-id:uid={uid},gid={uid}"
    yield f"--pids-limit={limits.processes}"
    if limits.memory_bytes:
        yield from (f"--memory={limits.memory_bytes}", f"--memory-swap={limits.memory_bytes}")
    if limits.cpu:
        yield f"--cpus={limits.cpu}"
    for kind, value in (("nofile", limits.open_files), ("nproc", limits.processes), ("fsize", limits.file_bytes)):
        yield f"--ulimit={kind}={value}:{value}"
    yield from ("--ulimit=core=1:1", f"--shm-size={limits.shm_bytes}", "--sysctl=net.ipv4.ip_unprivileged_port_start=0")
    yield f"--tmpfs=/tmp:rw,nosuid,nodev,exec,size={limits.tmp_bytes // _MIB}m,mode=1777"
    yield f"--workdir={WORKSPACE if spec.workspace_mode != 'off' else '/'}"
    harmless = ",nosuid,nodev" if engine == "podman" else ""  # which Docker takes for no bind mount
    visible = {f"{INSIDE_SOURCES}/workers": str(SOURCES / "workers"), **view.read_only}
    yield from (f"--volume={source}:{target}:ro{harmless}" for target, source in visible.items())
    yield from (f"--volume={source}:{target}:rw{harmless}" for target, source in view.read_write.items())
    yield from (f"--env={name}={value}" for name, value in environment(spec).items())


async def _remove(engine: str, name: str) -> None:
    """Remove what the engine could not remove by itself."""
    await asyncio.to_thread(_run, [engine, "rm", "--force", name])


def _run(argv: Sequence[str], stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(argv, input=stdin, capture_output=True, timeout=_ENGINE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(list(argv), 1, b"", str(error).encode())


def _last(text: bytes) -> str:
    return text.decode(errors="replace").strip().rpartition("\n")[2][:300] or "it said nothing"
