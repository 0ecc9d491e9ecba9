"""`signet worker`: the hosts that run agents, and the process that makes this host one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import WORKER
from signet.cli.processes import flags_option, start
from signet.cli.words import ago, ident, local, toned

if TYPE_CHECKING:
    from signet.v1.workers_pb2 import Worker


@click.group("worker", cls=Noun, invoke_without_command=True)
@click.option("--data", metavar="DIR", help="Data folder of the fleet.")
@flags_option
@click.pass_context
def worker(ctx: click.Context, data: str | None, flags: Mapping[str, str]) -> None:
    """Show the hosts that run agents; without a verb, be one: in the foreground, until SIGTERM."""
    if ctx.invoked_subcommand is None:
        start(ctx, "workers.main", data, flags)


@worker.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """List workers."""
    from signet.cli.output import emit_all

    with call.signet() as signet:
        emit_all(call, signet.workers.list(), _table)


@worker.command("show")
@click.argument("name", required=False, shell_complete=WORKER)
@click.pass_obj
def show(call: Call, *, name: str | None) -> None:
    """Show one worker and what its sandboxes hold, layer by layer, as probed from inside.

    The name may be left out where there is only one.
    """
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.workers.get(name) if name else _only(list(signet.workers.list()))
    emit(call, found, _page)


@worker.command("drain")
@click.argument("name", shell_complete=WORKER)
@click.pass_obj
def drain(call: Call, *, name: str) -> None:
    """Let a worker finish what it has and give it nothing new."""
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.workers.drain(name)
    runs = "run" if found.active_runs == 1 else "runs"
    emit(call, found, lambda found: f"{found.name} drains: {found.active_runs} {runs} to finish")
    call.say(f"to give it work again: signet worker undrain {ident(found.name)}")


@worker.command("undrain")
@click.argument("name", shell_complete=WORKER)
@click.pass_obj
def undrain(call: Call, *, name: str) -> None:
    """Give a drained worker work again."""
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.workers.undrain(name)
    emit(call, found, lambda found: f"{found.name} takes work again")


def _only(workers: "list[Worker]") -> "Worker":
    if len(workers) != 1:
        raise click.UsageError(f"there are {len(workers)} workers: name one, see `signet worker list`")
    return workers[0]


def _table(workers: "list[Worker]") -> str:
    from signet.cli.form import word
    from signet.cli.table import columns

    return columns(
        ("NAME", "STATE", "RUNS", "SANDBOXES", "SEEN", "HOST"),
        [
            (
                ident(found.name),
                toned(word(found, "state")),
                f"{found.active_runs}/{found.capacity}",
                str(found.sandboxes),
                ago(found.last_seen_time),
                found.host,
            )
            for found in workers
        ],
        empty="no worker has reported yet: `signet up` starts one, `signet doctor` says what keeps it",
    )


def _page(found: "Worker") -> str:
    from signet.cli.form import word
    from signet.cli.layers import layers
    from signet.cli.table import pairs

    facts = pairs(
        [
            ("name", found.name),
            ("state", toned(word(found, "state"))),
            ("host", found.host),
            ("version", found.version),
            ("runs", f"{found.active_runs} of at most {found.capacity}"),
            ("sandboxes", str(found.sandboxes)),
            ("last seen", f"{local(found.last_seen_time)} ({ago(found.last_seen_time)})"),
        ]
    )
    return f"{facts}\n\n{layers(found.isolation)}"
