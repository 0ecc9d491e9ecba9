"""`signet runs`: what agents did, and its records."""

import asyncio
import sys
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import AGENT, MODEL, RUN, SESSION
from signet.cli.words import ago, between, count, ident, seconds, shortened, toned

if TYPE_CHECKING:
    from signet.v1.runs_pb2 import Run

_STATES = ("pending", "running", "waiting", "succeeded", "failed", "cancelled")
_ACTIVE = ("PENDING", "RUNNING", "WAITING")


@click.group("runs", cls=Noun)
def runs() -> None:
    """Show what agents did. RUN is an id, a beginning that no other one has, or `last`."""


@runs.command("list", epilog="Example: signet runs list --state failed --after 2026-11-20 -o name")
@click.option("--agent", default="", metavar="AGENT", shell_complete=AGENT, help="Only this agent's.")
@click.option("--session", default="", metavar="ID", shell_complete=SESSION, help="Only this conversation's.")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only in this state; repeatable.")
@click.option("--model", default="", metavar="MODEL", shell_complete=MODEL, help="Only of this model.")
@click.option("--stamp", default="", metavar="DIGEST", help="Only with this stamp, or a beginning of it.")
@click.option("--after", type=click.DateTime(), help="Only those made at or after this time.")
@click.option("--before", type=click.DateTime(), help="Only those made before this time.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most.")
@click.option("--page-token", default="", metavar="TOKEN", help="Go on where the previous page ended.")
@click.pass_obj
def list_(
    call: Call,
    *,
    agent: str,
    session: str,
    states: tuple[str, ...],
    model: str,
    stamp: str,
    after: datetime | None,
    before: datetime | None,
    limit: int,
    page_token: str,
) -> None:
    """List runs, newest first."""
    from signet.cli.output import emit_all, more
    from signet.cli.resolve import session_name

    with call.signet() as signet:
        page = signet.runs.list(
            agent=agent,
            session=session_name(signet, session) if session else "",
            states=states,
            model=model,
            stamp=stamp,
            created_after=after,
            created_before=before,
            page_size=limit,
            page_token=page_token,
        ).page()
    emit_all(call, page.runs, table)
    more(call, page.next_page_token)


@runs.command("show")
@click.argument("name", metavar="RUN", shell_complete=RUN)
@click.option("--full", is_flag=True, help="Nothing cut: whole arguments, results and texts.")
@click.pass_obj
def show(call: Call, *, name: str, full: bool) -> None:
    """Show one run: what was asked, what happened when, what it used, and its stamp.

    With -o json: the run's fields, and `record` with its digest, model exchanges and tool calls.
    """
    from signet.cli.clean import cleaned
    from signet.cli.output import emit
    from signet.cli.resolve import run_name
    from signet.cli.shape import run_shape
    from signet.cli.timeline import page

    with call.signet() as signet:
        record = signet.runs.record(run_name(signet, name))
    emit(call, record.run, lambda _: page(cleaned(record), full=full), shape=run_shape(record.run, record))


@runs.command("watch")
@click.argument("name", metavar="RUN", shell_complete=RUN)
@click.option("--after", type=click.IntRange(0), default=0, metavar="SEQUENCE", help="Only events after this one.")
@click.pass_obj
def watch(call: Call, *, name: str, after: int) -> None:
    """Replay a run's events, then follow them to its end. Ctrl-C ends the watching, not the run.

    With -o json or jsonl every event is a line. The exit code is the run's, as for `signet run`.
    """
    sys.exit(asyncio.run(_watch(call, name, after)))


@runs.command("cancel")
@click.argument("name", metavar="RUN", shell_complete=RUN)
@click.pass_obj
def cancel(call: Call, *, name: str) -> None:
    """Ask a run to stop; one that is over stays as it is."""
    from signet.cli.form import word
    from signet.cli.output import emit
    from signet.cli.resolve import run_name

    with call.signet() as signet:
        found = signet.runs.cancel(run_name(signet, name))
    state = word(found, "state")
    said = "is asked to stop" if state in _ACTIVE else f"is over already: {state.lower()}"
    emit(call, found, lambda found: f"{found.name} {said}")


@runs.command("record")
@click.argument("name", metavar="RUN", shell_complete=RUN)
@click.pass_obj
def record(call: Call, *, name: str) -> None:
    """Print a run's whole record as JSON: the run, every event, model exchange and tool call, and the digest."""
    from dataclasses import replace

    from signet.cli.output import emit
    from signet.cli.resolve import run_name

    with call.signet() as signet:
        found = signet.runs.record(run_name(signet, name))
    emit(replace(call, output="json") if call.output == "table" else call, found, str, name=found.digest)


@runs.command("body")
@click.argument("digest")
@click.pass_obj
def body(call: Call, *, digest: str) -> None:
    """Write a body that a record names by its digest to standard output, byte for byte."""
    with call.signet() as signet:
        sys.stdout.buffer.write(signet.runs.blob(digest))


async def _watch(call: Call, name: str, after: int) -> int:
    from signet.cli import codes
    from signet.cli.form import word
    from signet.cli.resolve import run_name_async
    from signet.cli.view.choose import choose, shown

    outcome = ""
    async with call.asynchronous() as signet:
        whole = await run_name_async(signet, name)
        view = choose(call, streaming=sys.stdout.isatty(), lines=("json", "jsonl"))
        async with shown(view), aclosing(signet.runs.watch(whole, after=after)) as events:
            async for event in events:
                view.show(event)
                outcome = event.finished.outcome
        if not outcome:  # nothing came after the sequence: the run is over
            outcome = word(await signet.runs.get(whole), "state")
    return codes.BY_OUTCOME.get(outcome, codes.FAILED)


def table(found: "list[Run]") -> str:
    """Lay out runs."""
    from signet.cli.form import word
    from signet.cli.table import columns

    names = shortened(run.name for run in found)
    return columns(
        ("ID", "STATE", "AGENT", "MADE", "TOOK", "TOKENS", "TOOLS", "ASKED"),
        [
            (
                names[run.name],
                toned(word(run, "state")),
                ident(run.agent),
                ago(run.create_time),
                seconds(between(run.create_time, run.end_time)) if run.HasField("end_time") else "-",
                count(run.usage.input_tokens + run.usage.output_tokens),
                str(run.tool_calls),
                run.input,
            )
            for run in found
        ],
        empty='no run yet: signet run assistant "Say hello"',
    )
