"""What a sandbox and its way out cost, beside other sandboxes that this machine has, all in one run."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from benchmark.machine import Machine
from benchmark.report import Report, Row, percentiles

STARTS = 20
"""Starts of each other sandbox: they take a hundred times as long as ours."""

GOALS: Mapping[str, float] = {"cold_start": 10.0, "runtime_ready": 25.0, "exec": 4.0, "idle_memory": 3.0}
"""By architecture, in the row's unit: on the p50, or the value."""

PRELOAD = ("workers.runtimes.builtin.main", "workers.tools.host", "workers.sidecars.inference")
_MEASURE_SECONDS = 900
_START_SECONDS = 60

OTHERS: Mapping[str, tuple[str, ...]] = {
    "runsc": ("runsc", "--network=none", "--ignore-cgroups", "do", "/bin/true"),
    "docker": ("docker", "run", "--rm", "--network=none", "--pull=never", "busybox", "true"),
    "sandbox-runtime": ("srt", "true"),
}
"""Programs that start something in a sandbox of theirs, by name. What is not here or does not work is left out."""


def measure(starts: int = STARTS) -> Report:
    """Take all rows of the suite."""
    machine = Machine.here()
    rows = [_row(each) for each in _program("workers.sandbox.measure", "--json", *PRELOAD)]
    cold = next(row for row in rows if row.name == "cold_start")
    rows += [_against(cold, name, took) for name, argv in OTHERS.items() if (took := _started(argv, starts))]
    rows += [_row(each) for each in _program("workers.sidecars.egress.measure")]
    return Report("sandbox", machine, tuple(rows))


def _program(module: str, *arguments: str) -> Sequence[Mapping[str, Any]]:
    """Run a measuring program of the worker's, which this process must not import."""
    ran = subprocess.run(
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, timeout=_MEASURE_SECONDS, check=True
    )
    rows: Sequence[Mapping[str, Any]] = json.loads(ran.stdout)["rows"]
    return rows


def _row(fields: Mapping[str, Any]) -> Row:
    row = Row(**fields)
    return row if row.reference else replace(row, goal=GOALS.get(row.name))


def _started(argv: Sequence[str], count: int) -> list[float]:
    """Time starts in milliseconds; nothing where the program is missing or refuses."""
    if shutil.which(argv[0]) is None:
        return []
    took = []
    for _ in range(count):
        began = time.perf_counter()
        try:
            ran = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_START_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return []
        if ran.returncode:
            said = ran.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            sys.stderr.write(f"{argv[0]} is left out: {said[:200]}{os.linesep}")
            return []
        took.append((time.perf_counter() - began) * 1e3)
    return took


def _against(ours: Row, name: str, took: list[float]) -> Row:
    p50, p99 = percentiles(took)
    return Row(
        ours.name, ours.unit, len(took), p50=p50, p99=p99, reference=name, ratio=(ours.p50 or 0.0) / median(took)
    )
