"""`signet bench SUITE`: measure, and print figures that another program or a person can read."""

from collections.abc import Callable

import click

from benchmark.report import Report


def _run(runs: int | None) -> Report:
    from benchmark.suites import run

    return run.measure(runs or run.RUNS)


def _start(runs: int | None) -> Report:
    from benchmark.suites import start

    return start.measure(runs or start.STARTS)


def _sandbox(runs: int | None) -> Report:
    from benchmark.suites import sandbox

    return sandbox.measure(runs or sandbox.STARTS)


_SUITES: dict[str, Callable[[int | None], Report]] = {"run": _run, "sandbox": _sandbox, "start": _start}


@click.command()
@click.argument("suite", type=click.Choice(sorted(_SUITES)))
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print the figures.")
@click.option("--runs", type=click.IntRange(1, 100_000), help="How many samples to take; each suite has its default.")
def bench(suite: str, output: str, runs: int | None) -> None:
    """Measure what the platform costs, in a fleet or a sandbox of its own that goes away afterwards.

    \b
    run      what it adds to a run, in time and CPU, and how many events it stores
    sandbox  how fast sandboxes start and run commands, what they weigh, and how fast the way out is
    start    how long from nothing to a first word, and how much memory it takes
    """  # noqa: D301 - click reads the \b
    click.echo(f"measuring {suite} …", err=True)
    report = _SUITES[suite](runs)
    click.echo(report.json() if output == "json" else report.table())
