"""`signet up`, `down`, `status` and `doctor`."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import click

from signet.cli import codes
from signet.cli.call import Call, leaf
from signet.kit.home import Home
from signet.up import occupied
from signet.up.door import ask
from signet.up.plan import DOORS, Choices, port

_STOP_SECONDS = 60.0


@leaf("up", help="Start everything on this machine and keep it running, in the foreground.")
@click.option("--detach", "-d", is_flag=True, help="Return when everything is ready, and leave it running.")
@click.option("--no-chat", is_flag=True, help="Do not go on into a chat at a terminal.")
@click.option("--no-embedded", is_flag=True, help="Without the embedded models: 450 MB less.")
@click.option("--port", "web", type=click.IntRange(0, 65535), help="TCP port of the pages; 0: any. Default 7400.")
@click.option("--control-port", "control", type=click.IntRange(0, 65535), help="Control's; 0: none. Default 7410.")
@click.option("--router-port", "router", type=click.IntRange(0, 65535), help="The router's; 0: none. Default 7411.")
@click.option("--background", is_flag=True, hidden=True, help="What --detach starts: no greeting.")
def up(call: Call, *, detach: bool, no_chat: bool, no_embedded: bool, background: bool, **ports: int | None) -> None:
    """Start a fleet, or say which one holds the folder."""
    home = Home.find(call.data)
    choices = Choices({name: number for name, number in ports.items() if number is not None}, embedded=not no_embedded)
    home.prepare()
    if found := ask(home.socket("up.sock"), "status"):
        call.say(f"Signet runs on {home.root} already (pid {found['pid']}):\n")
        _show(call, found, _table)
        sys.exit(codes.OK if detach else codes.CONFLICT)
    occupied.check(home, choices)
    if detach:
        from signet.up.detached import detached

        sys.exit(detached(home, choices, call.say))
    from signet.up.foreground import Foreground, Manner
    from signet.up.screen import Screen

    click.echo(f"Signet, data in {home.root}")
    chat = not (no_chat or background) and sys.stdin.isatty() and sys.stdout.isatty()
    screen = Screen(home, _steady)
    manner = Manner(greet=not background, chat=chat)
    sys.exit(asyncio.run(Foreground(home, choices, _addresses(home, choices), screen).run(manner)))


@leaf("status", help="Show what runs: processes, memory, addresses.")
def status(call: Call) -> None:
    """Ask the supervisor."""
    home = Home.find(call.data)
    found = ask(home.socket("up.sock"), "status")
    if found:
        _show(call, {"running": True, **found}, _table)
        return
    stopped = {"running": False, "data": str(home.root), "processes": [], "addresses": {}}
    _show(call, stopped, lambda _: f"Nothing runs on {home.root}. Start it with `signet up`.")
    sys.exit(codes.UNAVAILABLE)


@leaf("down", help="Stop everything on this machine.")
def down(call: Call) -> None:
    """Ask the supervisor to stop, and wait until it has."""
    home = Home.find(call.data)
    door = home.socket("up.sock")
    if not ask(door, "status"):
        call.say(f"Nothing runs on {home.root}.")
        return
    call.say("Stopping …")
    try:
        ask(door, "stop", until_gone_seconds=_STOP_SECONDS)
    except TimeoutError:
        raise click.ClickException(f"still stopping after {_STOP_SECONDS:.0f} s: see {home.logs}") from None
    call.say("Stopped.")


@leaf("doctor", help="Check what Signet needs, say what was found and how to mend it.")
@click.option("--sandbox", is_flag=True, help="Instead, try to get out of a sandbox in every way we know.")
@click.option("--tier", "tiers", multiple=True, help="With --sandbox: a tier; default: standard and strict.")
@click.option("--area", "areas", multiple=True, help="With --sandbox: an area such as network; default: all.")
def doctor(call: Call, *, sandbox: bool, tiers: tuple[str, ...], areas: tuple[str, ...]) -> None:
    """Look at everything; 1 where something needed is broken, or an attack won."""
    if sandbox:
        _attack(call, tiers, areas)
    if tiers or areas:
        raise click.UsageError("--tier and --area go with --sandbox.")
    from signet.up.doctor.examine import examine
    from signet.up.doctor.finding import broken, table

    findings = examine(Home.find(call.data))
    _show(call, [finding.form() for finding in findings], lambda _: table(findings))
    sys.exit(codes.FAILED if broken(findings) else codes.OK)


def _attack(call: Call, tiers: tuple[str, ...], areas: tuple[str, ...]) -> NoReturn:
    """Make the attacks and show what came of them."""
    from signet.up.doctor.attacks import attack, table

    results = attack(tiers or ("standard", "strict"), areas, lively=call.lively and not call.quiet)
    _show(call, results.form(), lambda _: table(results))
    sys.exit(codes.OK if results.sound and results.results else codes.FAILED)


def _addresses(home: Home, choices: Choices) -> Mapping[str, str]:
    """Give where each service will answer."""
    sockets = {name: home.target(f"{name}.sock") for name in ("control", "router")}
    pages = {"web": f"http://127.0.0.1:{port(DOORS[0], home, choices)}/"}
    return pages | sockets


def _show(call: Call, found: Any, table: Callable[[Any], str]) -> None:
    if call.output in {"json", "jsonl"}:
        click.echo(json.dumps(found, indent=2 if call.output == "json" and sys.stdout.isatty() else None))
    elif call.output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(found, sort_keys=False), nl=False)
    else:
        click.echo(table(found), color=call.color)


def _table(found: Mapping[str, Any]) -> str:
    from signet.up.table import status as laid_out

    return laid_out(found)


def _steady(text: str) -> None:
    """Print; whoever reads may go away without ending the fleet."""
    try:
        click.echo(text)
    except OSError:
        return
