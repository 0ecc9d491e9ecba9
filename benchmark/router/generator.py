"""One cell of load on one target: run the generator, read what it found and what the target used meanwhile."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.machine import busy_seconds, cpu_clock, memory_mib
from benchmark.router.cells import TOKENS, Cell
from benchmark.router.program import pinned
from benchmark.router.target import Target

GRACE_SECONDS = 40.0
"""How long the ends of calls are waited for."""


class LoadError(Exception):
    """Raised when a target does not even answer a few calls rightly; says what it said."""


@dataclass(frozen=True)
class Times:
    """Percentiles of `n` samples, in microseconds."""

    n: int
    p50: float
    p99: float


@dataclass(frozen=True)
class Taken:
    """What one cell gave. `failed` counts answers that were not 200, not right, cut off, or never came whole."""

    target: str
    cell: Cell
    repeat: int
    done: int
    failed: int
    seconds: float
    latency: Times
    first: Times
    gap: Times
    cpu_us: float
    upstream_us: float
    others_cores: float
    memory_mib: float
    said: str = ""

    @property
    def rate(self) -> float:
        """Calls that ended well, in a second."""
        return self.done / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Found:
    """What the generator printed."""

    done: int
    failed: int
    seconds: float
    latency: Times
    first: Times
    gap: Times
    said: str


def parse(text: str) -> Found:
    """Read what the generator prints. Raises ValueError for anything else."""
    try:
        found: Mapping[str, Any] = json.loads(text)
        failed = sum(found[name] for name in ("bad_status", "bad_body", "errors", "unfinished"))
        latency, first, gap = (_times(found[name]) for name in ("latency_us", "first_us", "gap_us"))
        return Found(found["done"], failed, found["seconds"], latency, first, gap, found["said"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the generator printed {text[:400]!r}") from error


def _times(found: Mapping[str, float]) -> Times:
    return Times(int(found["n"]), found["p50"], found["p99"])


class Generator:
    """Puts load on targets from one core; `upstream` is the pid of the model server behind all of them."""

    def __init__(self, program: Path, core: int | None, upstream: int) -> None:
        self._program = program
        self._core = core
        self._upstream = upstream

    def take(self, target: Target, cell: Cell, repeat: int = 0, *, calls: int = 0) -> Taken:
        """Measure one cell; with `calls` so many of them, however long they take. Raises LoadError."""
        with tempfile.NamedTemporaryFile(prefix="signet-bench-") as request:
            request.write(target.request(cell.form))
            request.flush()
            argv = pinned([str(self._program), *_words(target, cell, calls), "--request", request.name], self._core)
            with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
                return self._measured(process, target, cell, repeat)

    def _measured(self, process: subprocess.Popen[str], target: Target, cell: Cell, repeat: int) -> Taken:
        if process.stdout is None or process.stdin is None:
            raise LoadError("the generator has no pipes")
        if (line := process.stdout.readline()) != "ready\n":
            raise LoadError(f"{target.name} gave no right answer: {line[:600]}")
        own: list[Callable[[], float]] = [lambda: cpu_clock(*target.pids), lambda: cpu_clock(self._upstream)]
        before = [busy_seconds(), cpu_clock(process.pid), *(read() for read in own)]
        process.stdin.write("\n")
        process.stdin.flush()
        text = process.stdout.readline()
        after = [busy_seconds(), cpu_clock(process.pid), *(read() for read in own)]
        busy, generator, cpu, upstream = (end - start for start, end in zip(before, after, strict=True))
        found = parse(text)
        spent = max(found.seconds, 1e-9)
        return Taken(
            target.name, cell, repeat, found.done, found.failed, found.seconds, found.latency, found.first, found.gap,
            cpu_us=cpu / max(found.done, 1) * 1e6,
            upstream_us=upstream / max(found.done, 1) * 1e6,
            others_cores=max(0.0, busy - generator - cpu - upstream) / spent,
            memory_mib=sum(memory_mib(pid) for pid in target.pids),
            said=found.said,
        )  # fmt: skip


def _words(target: Target, cell: Cell, calls: int) -> Sequence[str]:
    words = ["--port", target.port, "--connections", cell.callers, "--grace", GRACE_SECONDS, "--tokens", TOKENS]
    words += ["--warm", cell.warm, "--spread", cell.spread]
    words += ["--calls", calls, "--seconds", 600] if calls else ["--seconds", target.seconds(cell)]
    words += ["--rate", cell.rate] if cell.rate else []
    return [str(word) for word in words] + ([] if cell.form == "json" else ["--stream"])
