"""`signet sandbox`: where agents run."""

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import AGENT, SANDBOX
from signet.cli.words import ago, ident, local, size, toned

if TYPE_CHECKING:
    from signet.client import Signet
    from signet.v1.sandboxes_pb2 import Sandbox, WatchSandboxLogsResponse


@click.group("sandbox", cls=Noun)
def sandbox() -> None:
    """Sandboxes: where agents run. NAME may be an agent's too, where it has only one."""


@sandbox.command("list")
@click.option("--agent", default="", metavar="AGENT", shell_complete=AGENT, help="Only this agent's.")
@click.pass_obj
def list_(call: Call, *, agent: str) -> None:
    """List the sandboxes that are open."""
    from signet.cli.output import emit_all

    with call.signet() as signet:
        emit_all(call, signet.sandboxes.list(agent=agent), _table)


@sandbox.command("show")
@click.argument("name", shell_complete=SANDBOX)
@click.pass_obj
def show(call: Call, *, name: str) -> None:
    """Show one sandbox and what it holds, layer by layer, as probed from inside."""
    from signet.cli.output import emit

    with call.signet() as signet:
        emit(call, _found(signet, name), _page)


@sandbox.command("stop")
@click.argument("name", shell_complete=SANDBOX)
@click.option("--force", is_flag=True, help="Also where a run is in it, which then fails.")
@click.pass_obj
def stop(call: Call, *, name: str, force: bool) -> None:
    """Close a sandbox. Its workspace stays, and the agent's next run opens another over it."""
    from signet.cli.output import emit

    with call.signet() as signet:
        found = _found(signet, name)
        signet.sandboxes.stop(found.name, force=force)
    emit(call, found, lambda found: f"{found.name} is closed; its workspace stays")


@sandbox.command("logs")
@click.argument("name", shell_complete=SANDBOX)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines, until Ctrl-C.")
@click.pass_obj
def logs(call: Call, *, name: str, follow: bool) -> None:
    """Print what happened in a sandbox: its last 1000 lines. With -o json a line of JSON each."""
    from signet.cli.clean import cleaned
    from signet.cli.form import form
    from signet.cli.output import line

    with call.signet() as signet:
        for said in signet.sandboxes.logs(_found(signet, name).name, follow=follow):
            if call.output == "table":
                click.echo(_line(cleaned(said)), color=call.color)
                sys.stdout.flush()
            else:
                line(form(said))


@sandbox.command(
    "exec",
    context_settings={"allow_interspersed_args": False},
    epilog="Example: signet sandbox exec --seconds 60 assistant -- make test",
)
@click.option("--folder", metavar="PATH", default="", help="Folder inside; the workspace unless said.")
@click.option("--seconds", type=click.IntRange(1, 86_400), default=None, help="Kill it after so long.")
@click.argument("name", shell_complete=AGENT)
@click.argument("words", nargs=-1, required=True, metavar="CMD...")
@click.pass_obj
def exec_(call: Call, *, name: str, words: tuple[str, ...], folder: str, seconds: int | None) -> None:
    """Run one command in an agent's sandbox, or in `sandboxes/NAME`. Options stand before the name.

    Streams and exit code are the command's; with -o json one object with all of them.
    """
    from signet.cli.shell.attach import attach, captured
    from signet.cli.shell.command import spoken

    run = attach if call.output == "table" else captured
    sys.exit(asyncio.run(run(call, name, spoken(words), folder=folder, seconds=seconds or 0)))


def _found(signet: "Signet", name: str) -> "Sandbox":
    """Find a sandbox by its name, or by its agent's where that has only one. Raises NotFound."""
    from signet.kit.errors import FailedPrecondition, NotFound

    try:
        return signet.sandboxes.get(name)
    except NotFound:
        if name.startswith("sandboxes/"):
            raise
        found = list(signet.sandboxes.list(agent=name))
        if not found:
            raise
    if len(found) > 1:
        names = ", ".join(ident(one.name) for one in found)
        raise FailedPrecondition("SANDBOX_NOT_FOUND", f"{name} has {len(found)} sandboxes: name one of {names}")
    return found[0]


def _table(found: "list[Sandbox]") -> str:
    from signet.cli.form import word
    from signet.cli.table import columns

    return columns(
        ("NAME", "STATE", "AGENT", "TIER", "POLICY", "PROCESSES", "MEMORY", "OPENED", "IN IT"),
        [
            (
                ident(one.name),
                toned(word(one, "state")),
                ident(one.agent),
                one.tier,
                f"{ident(one.policy)} v{one.policy_version}" + (" (outdated)" if one.outdated else ""),
                str(one.processes),
                size(one.memory_bytes) if one.memory_bytes else "-",
                ago(one.open_time),
                ident(one.run)[:13] or one.detail,
            )
            for one in found
        ],
        empty="no sandbox is open: a run, or `signet shell AGENT`, opens one",
    )


def _page(found: "Sandbox") -> str:
    from signet.cli.form import word
    from signet.cli.layers import layers
    from signet.cli.table import pairs

    restarts = f"{found.sidecar_restarts} times after a crash" if found.sidecar_restarts else ""
    old = "; it differs in what only a new sandbox has: signet sandbox stop" if found.outdated else ""
    facts = pairs(
        [
            ("sandbox", ident(found.name)),
            ("state", toned(word(found, "state")) + (f": {found.detail}" if found.detail else "")),
            ("agent", ident(found.agent)),
            ("run", ident(found.run)),
            ("worker", ident(found.worker)),
            ("tier", found.tier),
            ("policy", f"{ident(found.policy)} version {found.policy_version}{old}"),
            ("policy problem", click.style(found.policy_problem, fg="red") if found.policy_problem else ""),
            ("opened", f"{local(found.open_time)} ({ago(found.open_time)})"),
            ("processes", str(found.processes)),
            ("memory", size(found.memory_bytes) if found.memory_bytes else "not counted here"),
            ("workspace", size(found.workspace_bytes)),
            ("sidecars started anew", restarts),
        ]
    )
    return f"{facts}\n\n{layers(found.isolation)}"


def _line(said: "WatchSandboxLogsResponse") -> str:
    when = click.style(local(said.time), dim=True)
    return f"{when}  {click.style(said.event, bold=True)}  {said.text}"
