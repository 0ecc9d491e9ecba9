"""Measures control as a process over its unix socket: `python -m tests.integration.control.measure`.

Prints events stored and acknowledged per second (8 runs, batches of 256), and control's CPU per whole run.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from signet.kit.home import Home
from signet.work.v1 import work_pb2
from tests.fakes import models
from tests.integration.control.fleet import Fleet, dialled, texts
from tests.integration.control.process import Process, start

RUNS = 8
BATCH = 256
SECONDS = 3.0


def cpu_seconds(process: Process) -> float:
    """Give the CPU time of control, user and system."""
    fields = Path(f"/proc/{process.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def events_per_second(fleet: Fleet) -> float:
    """Append to several runs at once for some seconds, each batch after the acknowledgement of the one before."""
    claims = [await fleet.taken() for _ in range(RUNS)]
    began = time.monotonic()

    async def one(claim: work_pb2.Assignment) -> int:
        sequence = claim.next_sequence
        while time.monotonic() - began < SECONDS:
            sequence = await fleet.append(claim.lease, texts(sequence, BATCH)) + 1
        return sequence - claim.next_sequence

    counts = await asyncio.gather(*(one(claim) for claim in claims))
    spent = time.monotonic() - began
    for claim in claims:
        await fleet.finish(claim.lease)
    return sum(counts) / spent


async def whole_runs(fleet: Fleet, process: Process, count: int = 100) -> tuple[float, float]:
    """Create, claim, append twelve events and finish, one run after the other; gives ms of CPU and of time a run."""
    before, began = cpu_seconds(process), time.monotonic()
    for _ in range(count):
        claim = await fleet.taken()
        await fleet.append(claim.lease, texts(claim.next_sequence, 12))
        await fleet.finish(claim.lease)
    return (cpu_seconds(process) - before) / count * 1000, (time.monotonic() - began) / count * 1000


async def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "home"
        home = Home(root)
        home.prepare()
        async with models.serving(home.socket("router.sock")) as router:
            control = await start(root, "port=0", "max_run_events=10000000", "max_run_bytes=1073741824")
            async with dialled(home) as (operator, worker):
                fleet = Fleet(home, operator, worker, router, asyncio.Event())
                await fleet.register()
                await whole_runs(fleet, control, 20)
                cpu, wall = await whole_runs(fleet, control)
                sys.stdout.write(f"cpu_per_run {cpu:.2f} ms, time_per_run {wall:.2f} ms\n")
                sys.stdout.write(f"events_acknowledged {await events_per_second(fleet):,.0f} /s\n")
            await control.end()


if __name__ == "__main__":
    asyncio.run(main())
