"""What a sandbox costs on this machine: `python -m workers.sandbox.measure [--json] [MODULE…]`, with modules preloaded.

With `--json` it prints one JSON object whose `rows` are in the form of `signet bench`, else a line for each. What is
compared with bubblewrap, where that is installed, is measured in turns with it. Takes about a minute and a folder.
"""

import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from workers.sandbox.launcher import Launcher
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Command, Entry, Limits, Spec

BUBBLEWRAP: Final = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", "true")
_COLD: Final = 200
_COMMANDS: Final = 500
_IDLE: Final = 100
_STORM: Final = 200
_HOST_UID: Final = 200_001
_MODULE: Final = "workers.sandbox.measure"

Row = dict[str, Any]


def ready() -> None:
    """Say that an entry runs."""
    os.write(1, b".")


async def measure(folder: Path, preload: Sequence[str] = ()) -> list[Row]:
    """Measure all over workspaces below `folder`; the rows."""
    spec = Spec("measured", folder / "workspace", _HOST_UID, {"inference": ("127.0.0.2", 80)})
    async with await Launcher.start((_MODULE, *preload)) as launcher:
        rows = await cold_start(launcher, spec)
        rows.append(await runtime_ready(launcher, spec))
        async with await launcher.open(spec) as sandbox:
            rows += await execution(sandbox)
        rows += await idle_memory(launcher, spec)
        return [*rows, *await start_storm(launcher, spec)]


async def cold_start(launcher: Launcher, spec: Spec, count: int = _COLD) -> list[Row]:
    """Time from the wish to a sandbox with every layer on and probed: plain, strict, and bounded as a whole."""
    bounded = Limits(memory_bytes=1 << 30, cpu=1.0)
    kinds = {
        "cold_start": spec,
        "cold_start_strict": Spec("strict", spec.workspace, spec.host_uid, spec.listeners, tier="strict"),
        "cold_start_bounded": Spec("bounded", spec.workspace, spec.host_uid, spec.listeners, limits=bounded),
    }
    took: dict[str, list[float]] = {name: [] for name in kinds}
    reference: list[float] = []
    for _ in range(count):
        for name, kind in kinds.items():
            start = time.perf_counter()
            sandbox = await launcher.open(kind)
            took[name].append(time.perf_counter() - start)
            await sandbox.aclose()
        if program := shutil.which(BUBBLEWRAP[0]):
            reference.append(_bare(program))
    return [_compared(_times(name, one), statistics.median(one), reference) for name, one in took.items()]


async def runtime_ready(launcher: Launcher, spec: Spec, count: int = _COLD) -> Row:
    """Time from the wish to the first byte of a preloaded program in a new sandbox."""
    took = []
    for _ in range(count):
        start = time.perf_counter()
        async with await launcher.open(spec) as sandbox:
            await _answer(sandbox)
            took.append(time.perf_counter() - start)
    return _times("runtime_ready", took)


async def execution(sandbox: Sandbox, count: int = _COMMANDS) -> list[Row]:
    """Time commands, one after the other, in a sandbox that is open, from the wish to the exit code."""
    return [
        await _each("exec", count, lambda: _run(sandbox, Command(("/bin/true",)))),
        await _each("exec_shell", count, lambda: _run(sandbox, Command(("sh", "-c", "echo hi")))),
        await _each("exec_entry", count, lambda: _answer(sandbox)),
    ]


async def idle_memory(launcher: Launcher, spec: Spec, count: int = _IDLE) -> list[Row]:
    """Measure what one more idle sandbox costs: of the whole machine, and of its pid 1 alone (shared pages divided)."""
    before = _available()
    sandboxes = [await launcher.open(spec) for _ in range(count)]
    found = {"idle_memory": (before - _available()) / count}
    if launcher.as_root:  # nobody else can look into pid 1
        found["idle_memory_pid_1"] = statistics.median(_share(sandbox.pid) for sandbox in sandboxes)
    await asyncio.gather(*(sandbox.aclose() for sandbox in sandboxes))
    return [{"name": name, "unit": "MB", "n": count, "value": round(size / 1024, 2)} for name, size in found.items()]


async def start_storm(launcher: Launcher, spec: Spec, count: int = _STORM) -> list[Row]:
    """Time until as many are open that were all wished for at once; and how long each took."""
    took: list[float] = []
    start = time.perf_counter()

    async def one() -> Sandbox:
        sandbox = await launcher.open(spec)
        took.append(time.perf_counter() - start)
        return sandbox

    sandboxes = await asyncio.gather(*(one() for _ in range(count)))
    await asyncio.gather(*(sandbox.aclose() for sandbox in sandboxes))
    program = shutil.which(BUBBLEWRAP[0])
    reference = [_bare_storm(program, count)] if program else []
    whole = max(took)
    row = {"name": "start_storm", "unit": "ms", "n": count, "value": round(whole * 1e3, 2)}
    return [_compared(row, whole, reference), _times("start_storm_each", took)]


async def _each(name: str, count: int, act: Callable[[], Awaitable[object]]) -> Row:
    took = []
    for _ in range(count):
        start = time.perf_counter()
        await act()
        took.append(time.perf_counter() - start)
    return _times(name, took)


async def _run(sandbox: Sandbox, command: Command) -> None:
    await (await sandbox.start(command)).wait()


async def _answer(sandbox: Sandbox) -> None:
    """Start an entry and wait until it says something."""
    reader, writer = os.pipe()
    said = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(reader, said.set)
    try:
        await sandbox.start(Entry(f"{_MODULE}:ready"), fds={1: writer})
        await said.wait()
    finally:
        loop.remove_reader(reader)
        os.close(reader)
        os.close(writer)


def _bare(program: str) -> float:
    start = time.perf_counter()
    os.waitpid(_spawn(program), 0)
    return time.perf_counter() - start


def _bare_storm(program: str, count: int) -> float:
    start = time.perf_counter()
    for pid in [_spawn(program) for _ in range(count)]:
        os.waitpid(pid, 0)
    return time.perf_counter() - start


def _spawn(program: str) -> int:
    return os.posix_spawn(program, BUBBLEWRAP, os.environ)


def _times(name: str, seconds: Sequence[float]) -> Row:
    cuts = [round(cut * 1e3, 2) for cut in statistics.quantiles(seconds, n=100, method="inclusive")]
    return {"name": name, "unit": "ms", "n": len(seconds), "p50": cuts[49], "p99": cuts[98]}


def _compared(row: Row, ours: float, reference: Sequence[float]) -> Row:
    """Add how many times the reference's median ours is, where that was measured."""
    if not reference:
        return row
    return {**row, "reference": "bubblewrap", "ratio": round(ours / statistics.median(reference), 2)}


def _available() -> int:
    return _kilobytes(Path("/proc/meminfo"), "MemAvailable:")


def _share(pid: int) -> int:
    return _kilobytes(Path("/proc", str(pid), "smaps_rollup"), "Pss:")


def _kilobytes(path: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(name))


def main() -> None:
    """Print the rows."""
    arguments = [word for word in sys.argv[1:] if word != "--json"]
    machine = {"kernel": os.uname().release, "cores": os.cpu_count(), "root": os.geteuid() == 0}
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        rows = asyncio.run(measure(Path(folder), arguments))
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps({"suite": "sandbox", "machine": machine, "rows": rows}, indent=1) + "\n")
        return
    for row in rows:
        figures = f"p50 {row['p50']}, p99 {row['p99']}" if "p50" in row else str(row["value"])
        compared = f"; {row['ratio']} x {row['reference']}" if "ratio" in row else ""
        sys.stdout.write(f"{row['name']}: {figures} {row['unit']} of {row['n']}{compared}\n")


if __name__ == "__main__":
    main()
