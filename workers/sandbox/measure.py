"""What a sandbox costs on this machine: `python -m workers.sandbox.measure [MODULE…]`, the modules being preloaded.

Prints one JSON object, its rows in the form of `signet bench`. Takes some seconds and a temporary folder.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from workers.sandbox.launcher import Launcher
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Command, Entry, Spec

_COLD: Final = 200
_COMMANDS: Final = 500
_IDLE: Final = 50
_HOST_UID: Final = 200_001
_MODULE: Final = "workers.sandbox.measure"


def ready() -> None:
    """Say that an entry runs."""
    os.write(1, b".")


async def measure(folder: Path, preload: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Measure over workspaces below `folder`; the rows."""
    spec = Spec("measured", folder / "workspace", _HOST_UID, {"inference": ("127.0.0.2", 80)})
    async with await Launcher.start((_MODULE, *preload)) as launcher:

        async def cold() -> None:
            await (await launcher.open(spec)).aclose()

        async def from_nothing() -> None:
            async with await launcher.open(spec) as sandbox:
                await _answer(sandbox, Entry(f"{_MODULE}:ready"))

        rows = [await _opening(launcher, spec)]
        rows.append(await _row("open_and_close", _COLD, cold))
        rows.append(await _row("cold_to_runtime_ready", _COLD, from_nothing))
        async with await launcher.open(spec) as sandbox:
            rows.append(
                await _row("warm_to_runtime_ready", _COMMANDS, lambda: _answer(sandbox, Entry(f"{_MODULE}:ready")))
            )
            rows.append(await _row("command", _COMMANDS, lambda: _run(sandbox, Command(("/bin/true",)))))
            rows.append(await _row("shell_command", _COMMANDS, lambda: _run(sandbox, Command(("sh", "-c", "echo hi")))))
        return [*rows, *await _memory(launcher, spec)]


async def _opening(launcher: Launcher, spec: Spec) -> dict[str, Any]:
    """Time the opening alone, with every layer on and probed."""
    took = []
    for _ in range(_COLD):
        start = time.perf_counter()
        sandbox = await launcher.open(spec)
        took.append(time.perf_counter() - start)
        await sandbox.aclose()
    return _times("sandbox_cold", took)


async def _row(name: str, count: int, act: Callable[[], Awaitable[object]]) -> dict[str, Any]:
    took = []
    for _ in range(count):
        start = time.perf_counter()
        await act()
        took.append(time.perf_counter() - start)
    return _times(name, took)


def _times(name: str, seconds: Sequence[float]) -> dict[str, Any]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {
        "name": name,
        "unit": "ms",
        "n": len(seconds),
        "p50": round(cuts[49] * 1e3, 2),
        "p99": round(cuts[98] * 1e3, 2),
    }


async def _run(sandbox: Sandbox, command: Command) -> None:
    await (await sandbox.start(command)).wait()


async def _answer(sandbox: Sandbox, entry: Entry) -> None:
    """Start an entry and wait until it says something."""
    reader, writer = os.pipe()
    said = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(reader, said.set)
    try:
        await sandbox.start(entry, fds={1: writer})
        await said.wait()
    finally:
        loop.remove_reader(reader)
        os.close(reader)
        os.close(writer)


async def _memory(launcher: Launcher, spec: Spec) -> list[dict[str, Any]]:
    """Measure what one more idle sandbox costs: of the whole machine, and of its pid 1 alone (shared pages divided)."""
    before = _available()
    sandboxes = [await launcher.open(spec) for _ in range(_IDLE)]
    found = {"idle_memory": (before - _available()) / _IDLE}
    if launcher.as_root:  # nobody else can look into pid 1
        found["idle_memory_pid_1"] = statistics.median(_share(sandbox.pid) for sandbox in sandboxes)
    for sandbox in sandboxes:
        await sandbox.aclose()
    return [{"name": name, "unit": "MB", "n": _IDLE, "value": round(size / 1024, 2)} for name, size in found.items()]


def _available() -> int:
    return _kilobytes(Path("/proc/meminfo"), "MemAvailable:")


def _share(pid: int) -> int:
    return _kilobytes(Path("/proc", str(pid), "smaps_rollup"), "Pss:")


def _kilobytes(path: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(name))


def main() -> None:
    """Print the rows."""
    machine = {"kernel": os.uname().release, "cores": os.cpu_count(), "root": os.geteuid() == 0}
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        rows = asyncio.run(measure(Path(folder), sys.argv[1:]))
    sys.stdout.write(json.dumps({"suite": "sandbox", "machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
