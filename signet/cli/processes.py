"""The processes of a fleet, each in the foreground: `signet up` starts and supervises all of them."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NoReturn

import click


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> Mapping[str, str]:
    """Parse `key=value`, the last of a key winning."""
    found: dict[str, str] = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"must be key=value, not {value!r}", ctx, param)
        found[key] = text
    return found


def flags_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--set KEY=VALUE`, repeatable."""
    return click.option(
        "--set", "flags", multiple=True, metavar="KEY=VALUE", callback=_pairs, help="Set an option; repeatable."
    )(function)


def start(ctx: click.Context, module: str, data: str | None, flags: Mapping[str, str]) -> NoReturn:
    """Be a process until it ends. Its module has `run(home, flags)`, which gives the exit code."""
    from signet.kit.home import Home

    run: Any = import_module(module).run
    sys.exit(run(Home.find(data or ctx.find_root().params.get("data")), flags))


def _process(name: str, module: str, summary: str) -> click.Command:
    @click.command(name, help=f"{summary}\n\nRuns in the foreground: logs to standard error, SIGTERM drains.")
    @click.option("--data", metavar="DIR", help="Data folder of the fleet.")
    @flags_option
    @click.pass_context
    def process(ctx: click.Context, data: str | None, flags: Mapping[str, str]) -> None:
        start(ctx, module, data, flags)

    return process


control = _process("control", "control.main", "Keep the state of the fleet and decide.")
router = _process("router", "router.main", "Be the only door to models.")
web = _process("web", "web.main", "Serve the pages and the HTTP doors.")
