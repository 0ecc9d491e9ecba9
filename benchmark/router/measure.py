"""The measurement itself: `python -m benchmark.router.measure PLAN`, in a network of its own; prints what it took.

On standard output JSON for `results`; on standard error a line per repeat. The benchmark's suite starts it.
"""

import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from benchmark.machine import memory_mib
from benchmark.router import cells
from benchmark.router.build import Programs, build, cache
from benchmark.router.cells import Cell
from benchmark.router.generator import Generator, LoadError, Taken
from benchmark.router.network import raise_loopback
from benchmark.router.ours import NAME, ours
from benchmark.router.peers import EVERYWHERE, PEERS, installed
from benchmark.router.plan import Plan
from benchmark.router.program import ProgramError, running
from benchmark.router.results import Growth, Results
from benchmark.router.target import Target

SETTLE_SECONDS = 0.15
"""After each cell, so that what a target does behind its answers is not counted to the next."""

_PORTION = 10_000
_SLOW_PORTION = 250
_GROWING = Cell("json", 32, 1.0)


def cores() -> tuple[int | None, int | None]:
    """Give the core of what is measured, and that of upstream and generator; none to pin to where there is only one."""
    mine = sorted(os.sched_getaffinity(0))
    return (mine[0], mine[1]) if len(mine) > 1 else (None, None)


def say(text: str) -> None:
    """Show how far it is."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - what a person sees while it runs


@contextmanager
def started(plan: Plan, programs: Programs, folder: Path) -> Iterator[tuple[dict[str, Target], Generator, list[str]]]:
    """Start everything: targets by name, the generator, and notes on what is missing or not as it should be."""
    proxy, load = cores()
    notes = [] if load is not None else ["one core only: nothing is pinned, and everything shares it"]
    notes += [] if plan.alone else ["no network of its own could be made: loopback is that of the machine"]
    with ExitStack() as stack:
        argv = [str(programs.upstream), "0", str(cells.TOKENS), str(cells.DELAY_US)]
        upstream = stack.enter_context(running("upstream", argv, folder, core=load))
        port = _port(folder / "upstream.log")
        targets = {"direct": Target("direct", port), NAME: stack.enter_context(ours(port, folder, proxy))}
        for name in plan.peers:
            if why := _absent(name, alone=plan.alone):
                notes.append(f"{name} is left out: {why}")
                continue
            say(f"starting {name} …")
            for serving in PEERS[name]:
                try:
                    targets[name] = stack.enter_context(serving(port, folder, proxy))
                except ProgramError as error:
                    notes.append(f"{serving.__name__.replace('_', ' ')} is not measured: {error}")
                else:
                    break
        yield targets, Generator(programs.load, load, upstream.pid), notes


def _absent(name: str, *, alone: bool) -> str:
    if installed(name) is None:
        return f"not installed (make bench-router, or python3 deploy/peers/install.py {name})"
    if name in EVERYWHERE and not alone:
        return "it listens on all addresses, and no network of its own could be made for it"
    return ""


def _port(log: Path) -> int:
    until = time.monotonic() + 10
    while not (said := log.read_text().strip()):
        if time.monotonic() > until:
            raise ProgramError("the upstream did not come up")
        time.sleep(0.01)
    return int(said)


def take(plan: Plan, targets: dict[str, Target], generator: Generator, notes: list[str]) -> list[Taken]:
    """Measure every cell; a target that answers wrongly at all is left out from there on, and said so."""
    kinds = cells.QUICK if plan.quick else cells.FULL
    for target in list(targets.values()):
        for form in ("json", "burst", "paced"):
            try:
                generator.take(target, Cell(form, 8, 0.5))
            except LoadError as error:
                notes.append(f"{target.name} is left out: {error}")
                del targets[target.name]
                break
    taken: list[Taken] = []
    began = time.monotonic()
    for repeat, cell, name in cells.schedule(list(targets), kinds, plan.repeats, random.Random()):  # noqa: S311 - an order, no secret
        taken.append(generator.take(targets[name], cell, repeat))
        time.sleep(SETTLE_SECONDS)
        if len(taken) % (len(kinds) * len(targets)) == 0:
            say(f"repeat {repeat + 1} of {plan.repeats} done, {time.monotonic() - began:.0f} s")
    return taken


def growth(plan: Plan, targets: Mapping[str, Target], generator: Generator) -> list[Growth]:
    """Look at memory under more and more calls: ours over as many as planned, peers for as long as planned."""
    grown = []
    for target in targets.values():
        if not target.pids:
            continue
        say(f"memory of {target.name} …")
        until = time.monotonic() + plan.peer_seconds
        calls, sizes = 0, list[float]()
        while calls < plan.calls and (target.name == NAME or time.monotonic() < until):
            portion = min(_PORTION if target.name == NAME else _SLOW_PORTION, plan.calls - calls)
            generator.take(target, _GROWING, calls=portion)
            calls += portion
            sizes.append(sum(memory_mib(pid) for pid in target.pids))
        grown.append(Growth(target.name, calls, tuple(sizes)))
    return grown


def setup(targets: Mapping[str, Target], folder: Path) -> dict[str, str]:
    """Say what was measured, for the page of results."""
    said = {target.name: target.version for target in targets.values() if target.version}
    return said | {"ledger on": _filesystem(folder), "order": "random, interleaved"}


def _filesystem(folder: Path) -> str:
    best, kind = "", "?"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, found, *_ = line.split()
        if len(point) > len(best) and folder.is_relative_to(point):
            best, kind = point, found
    return kind


def measure(plan: Plan) -> Results:
    """Do the whole plan. Raises BuildError, ProgramError, LoadError."""
    began = time.monotonic()
    programs = build()
    place = cache() / "bench"
    folder = Path(tempfile.mkdtemp(prefix="router-", dir=place))
    try:
        with started(plan, programs, folder) as (targets, generator, notes):
            taken = take(plan, targets, generator, notes)
            grown = growth(plan, targets, generator)
            said = setup(targets, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Results(tuple(taken), tuple(grown), tuple(notes), said, time.monotonic() - began)


def main(words: Sequence[str]) -> int:
    """Measure and print."""
    plan = Plan.parse(words[0])
    if plan.alone:
        raise_loopback()
    try:
        results = measure(plan)
    except (ProgramError, LoadError, OSError) as error:
        say(str(error))
        return 1
    print(json.dumps(asdict(results)))  # noqa: T201 - what it is for
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
