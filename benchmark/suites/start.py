"""From nothing to a first word: how long a fleet takes to be ready and to answer, and what it weighs then."""

import time
from statistics import median

from benchmark.fleet import Fleet, fleet
from benchmark.machine import Machine, memory_mib
from benchmark.report import Report, Row, percentiles
from signet.client import Signet

STARTS = 3


def measure(runs: int = STARTS) -> Report:
    """Take all rows of the suite: `cold_to_ready`, `cold_to_first_token`, `memory`, and those without the model."""
    machine = Machine.here()
    ready: list[float] = []
    first: list[float] = []
    weight: list[float] = []
    for _ in range(runs):
        with fleet(embedded=True) as running:
            ready.append(running.ready_seconds)
            first.append(_first_token(running))
            weight.append(memory_mib(running.pid))
    with fleet(embedded=False) as running:
        bare_ready, bare_weight = running.ready_seconds, memory_mib(running.pid)
    return Report("start", machine, (*_times(ready, first), *_weights(weight, bare_weight, ready, bare_ready)))


def _times(ready: list[float], first: list[float]) -> list[Row]:
    note = "programs not running before, everything installed, new data folder"
    (r50, r99), (f50, f99) = percentiles(ready), percentiles(first)
    return [
        Row("cold_to_ready", "s", len(ready), p50=r50, p99=r99, note=note),
        Row("cold_to_first_token", "s", len(first), p50=f50, p99=f99, goal=6, note="embedded model; " + note),
    ]


def _weights(weight: list[float], bare_weight: float, ready: list[float], bare_ready: float) -> list[Row]:
    without = "without the embedded model"
    return [
        Row(
            "memory", "MiB", len(weight), value=max(weight), goal=900, reference=without,
            ratio=max(weight) / bare_weight, note="PSS of every process, after a first run",
        ),
        Row("memory_without_model", "MiB", 1, value=bare_weight, goal=450, note="PSS of every process, no run yet"),
        Row(
            "ready_without_model", "s", 1, value=bare_ready, reference="with the embedded model",
            ratio=bare_ready / median(ready),
        ),
    ]  # fmt: skip


def _first_token(running: Fleet) -> float:
    with Signet(data=str(running.data)) as signet:
        for event in signet.run("assistant", "Say hello"):
            if event.WhichOneof("kind") == "text":
                return time.perf_counter() - running.started
    raise RuntimeError("the run ended without a word")
