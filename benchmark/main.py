"""`signet bench SUITE`: measure, and print figures that another program or a person can read."""

from collections.abc import Callable
from dataclasses import dataclass

import click

from benchmark.report import Report


@dataclass(frozen=True)
class Asked:
    """What the command line says of how much to measure; None and empty: what the suite thinks best."""

    runs: int | None = None
    repeats: int | None = None
    peers: str | None = None
    quick: bool = False


def _run(asked: Asked) -> Report:
    from benchmark.suites import run

    return run.measure(asked.runs or run.RUNS)


def _start(asked: Asked) -> Report:
    from benchmark.suites import start

    return start.measure(asked.runs or start.STARTS)


def _sandbox(asked: Asked) -> Report:
    from benchmark.suites import sandbox

    return sandbox.measure(asked.runs or sandbox.STARTS)


def _router(asked: Asked) -> Report:
    from benchmark.router.plan import PEERS
    from benchmark.suites import router

    names = PEERS if asked.peers is None else tuple(name for name in asked.peers.split(",") if name)
    try:
        return router.measure(asked.repeats, names, quick=asked.quick)
    except (ValueError, router.RouterBenchError) as error:
        raise click.ClickException(str(error)) from error


_SUITES: dict[str, Callable[[Asked], Report]] = {"router": _router, "run": _run, "sandbox": _sandbox, "start": _start}


@click.command()
@click.argument("suite", type=click.Choice(sorted(_SUITES)))
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print the figures.")
@click.option("--runs", type=click.IntRange(1, 100_000), help="How many samples to take; each suite has its default.")
@click.option("--repeats", type=click.IntRange(1, 100), help="router: how often to take every figure (5; quick: 3).")
@click.option("--peers", metavar="A,B", help="router: which gateways to set it against; all installed, or '' for none.")
@click.option("--quick", is_flag=True, help="router: fewer kinds of load, about two minutes.")
def bench(suite: str, output: str, runs: int | None, repeats: int | None, peers: str | None, *, quick: bool) -> None:
    """Measure what the platform costs, in a fleet or a sandbox of its own that goes away afterwards.

    \b
    router   what a model call costs, beside LiteLLM, Portkey and TensorZero (make bench-router installs them)
    run      what it adds to a run, in time and CPU, and how many events it stores
    sandbox  how fast sandboxes start and run commands, what they weigh, and how fast the way out is
    start    how long from nothing to a first word, and how much memory it takes
    """  # noqa: D301 - click reads the \b
    if suite == "router" and runs is not None:
        raise click.UsageError("the router's figures are taken over seconds, not runs: use --repeats")
    if suite != "router" and (repeats is not None or peers is not None or quick):
        raise click.UsageError("--repeats, --peers and --quick are for the suite `router`; here it is --runs")
    click.echo(f"measuring {suite} …", err=True)
    report = _SUITES[suite](Asked(runs, repeats, peers, quick))
    click.echo(report.json() if output == "json" else report.table())
