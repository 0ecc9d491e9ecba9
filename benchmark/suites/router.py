"""What the router costs, beside the gateways that people use: same upstream, same load, same cores, in turns."""

import json
import subprocess
import sys

from benchmark.machine import Machine
from benchmark.report import Report
from benchmark.router import network
from benchmark.router.plan import PEERS, Plan
from benchmark.router.results import Results
from benchmark.router.rows import rows

REPEATS = 5
QUICK_REPEATS = 3
_QUICK_CALLS = 20_000
_QUICK_SECONDS = 2.0
_SECONDS = 3600


class RouterBenchError(Exception):
    """Raised when nothing could be measured; what went wrong was shown meanwhile."""


def measure(repeats: int | None = None, peers: tuple[str, ...] = PEERS, *, quick: bool = False) -> Report:
    """Take all rows of the suite: about 12 minutes, or 2 when `quick`, with fewer kinds of load and calls.

    Raises RouterBenchError; ValueError for a peer nobody knows.
    """
    machine = Machine.here()
    words = network.prefix()
    plan = Plan(repeats or (QUICK_REPEATS if quick else REPEATS), peers, quick=quick, alone=bool(words))
    if quick:
        plan = Plan(plan.repeats, peers, quick=True, calls=_QUICK_CALLS, peer_seconds=_QUICK_SECONDS, alone=plan.alone)
    argv = [*words, sys.executable, "-m", "benchmark.router.measure", plan.text()]
    ran = subprocess.run(argv, stdout=subprocess.PIPE, timeout=_SECONDS, check=False)
    if ran.returncode:
        raise RouterBenchError("the router was not measured; the lines above say why")
    results = Results.of(json.loads(ran.stdout))
    for note in results.notes:
        sys.stderr.write(f"{note}\n")
    return Report("router", machine, tuple(rows(results)), notes=results.notes, setup=results.setup)
