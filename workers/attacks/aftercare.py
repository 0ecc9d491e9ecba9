"""What the host does with a sandbox after an attack: it has to be as usable, as empty and as countable as before."""

import asyncio
import os
import sys
from typing import Final

from workers.attacks.trap import LARGE_BYTES, Trap
from workers.measure import Measure
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Command, Limits
from workers.tier import Driver

_MIB: Final = 1 << 20
SMALL: Final = Limits(
    processes=64,
    open_files=256,
    address_space_bytes=2048 * _MIB,
    file_bytes=8 * _MIB,
    tmp_bytes=16 * _MIB,
    shm_bytes=8 * _MIB,
    memory_bytes=256 * _MIB,
)
"""What a sandbox has in which bombs go off."""

_COUNT_SECONDS: Final = 5.0
_MOST_INODES: Final = 100_000
_ALIVE: Final = "import os; print(sum(name.isdigit() for name in os.listdir('/proc')))"
_QUIET: Final = 2
"""Processes in a sandbox where nothing runs but what counts them: that, and pid 1. An engine's tunnel is a third."""


async def look_after(sandbox: Sandbox, driver: Driver, trap: Trap) -> None:
    """Do to an attacked sandbox what the worker does: clear it, use it, count its workspace, open it again."""
    if sandbox.ended is not None:
        return
    try:
        await sandbox.clear()
        count = await _count(sandbox)
    except (SandboxUnavailable, OSError, ValueError) as error:
        trap.saw(f"nothing can be started in the sandbox any more: {error}")
        return
    quiet = _QUIET if isinstance(driver, Launcher) else _QUIET + 1
    if count > quiet:
        trap.saw(f"{count - quiet} processes outlived the end of the run")
    used = await asyncio.to_thread(Measure(sandbox.spec.workspace, sandbox.pid, _MOST_INODES).run)
    if used.bytes >= LARGE_BYTES + SMALL.file_bytes:
        trap.saw(f"the quota counted {used.bytes} bytes, those of the host's files, too")
    await sandbox.aclose()
    try:
        await (await driver.open(sandbox.spec)).aclose()
    except SandboxUnavailable as error:
        trap.saw(f"the workspace cannot be opened again: {error}")


def python() -> str:
    """Give the Python that runs inside: the worker's own, where it really is."""
    return os.path.realpath(sys.executable)


async def _count(sandbox: Sandbox) -> int:
    """Count the processes inside, that which counts among them."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as answers:
        try:
            process = await sandbox.start(Command((python(), "-I", "-S", "-c", _ALIVE)), fds={1: writer})
        finally:
            os.close(writer)
        async with asyncio.timeout(_COUNT_SECONDS):
            await process.wait()
        return int(answers.read() or b"0")
