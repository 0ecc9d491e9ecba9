"""`signet session`: conversations with agents."""

from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import AGENT, SESSION
from signet.cli.words import ago, ident, local, short, shortened

if TYPE_CHECKING:
    from signet.v1.runs_pb2 import Run
    from signet.v1.sessions_pb2 import Session

_RUNS = 50


@click.group("session", cls=Noun)
def session() -> None:
    """Sessions: conversations with agents. An id may be cut to a beginning that no other one has."""


@session.command("list")
@click.option("--agent", default="", metavar="AGENT", shell_complete=AGENT, help="Only this agent's.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most.")
@click.option("--page-token", default="", metavar="TOKEN", help="Go on where the previous page ended.")
@click.pass_obj
def list_(call: Call, *, agent: str, limit: int, page_token: str) -> None:
    """List sessions, newest activity first."""
    from signet.cli.output import emit_all, more

    with call.signet() as signet:
        page = signet.sessions.list(agent=agent, page_size=limit, page_token=page_token).page()
    emit_all(call, page.sessions, _table)
    more(call, page.next_page_token)


@session.command("show")
@click.argument("name", shell_complete=SESSION)
@click.pass_obj
def show(call: Call, *, name: str) -> None:
    """Show one session and its newest runs."""
    from signet.cli.clean import cleaned
    from signet.cli.output import emit
    from signet.cli.resolve import session_name

    with call.signet() as signet:
        found = signet.sessions.get(session_name(signet, name))
        runs = signet.runs.list(session=found.name, page_size=_RUNS).page().runs if call.output == "table" else ()
    emit(call, found, lambda found: _page(found, [cleaned(run) for run in runs]))


@session.command("rename")
@click.argument("name", shell_complete=SESSION)
@click.argument("title")
@click.pass_obj
def rename(call: Call, *, name: str, title: str) -> None:
    """Give a session another title."""
    from signet.cli.output import emit
    from signet.cli.resolve import session_name

    with call.signet() as signet:
        found = signet.sessions.rename(session_name(signet, name), title)
    emit(call, found, lambda found: f"{short(found.name)} is now “{found.title}”")


@session.command("delete")
@click.argument("name", shell_complete=SESSION)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(call: Call, *, name: str, yes: bool) -> None:
    """Delete a session; its runs and records stay."""
    from signet.cli.ask import confirm
    from signet.cli.output import emit
    from signet.cli.resolve import session_name

    with call.signet() as signet:
        found = signet.sessions.get(session_name(signet, name))
        confirm(f"delete the session “{found.title}”? Its runs and records stay", yes=yes)
        signet.sessions.delete(found.name)
    emit(call, found, lambda found: f"“{found.title}” is deleted")


def _table(sessions: "list[Session]") -> str:
    from signet.cli.table import columns

    names = shortened(found.name for found in sessions)
    return columns(
        ("ID", "AGENT", "RUNS", "ACTIVE", "TITLE"),
        [
            (names[found.name], ident(found.agent), str(found.run_count), ago(found.update_time), found.title)
            for found in sessions
        ],
        empty="no session yet: signet chat assistant",
    )


def _page(found: "Session", runs: "list[Run]") -> str:
    from signet.cli.runs import table
    from signet.cli.table import pairs

    facts = pairs(
        [
            ("name", found.name),
            ("title", found.title),
            ("agent", ident(found.agent)),
            ("created", local(found.create_time)),
            ("active", f"{local(found.update_time)} ({ago(found.update_time)})"),
            ("runs", str(found.run_count)),
            ("go on", f"signet chat --session {short(found.name)}"),
        ]
    )
    return f"{facts}\n\n{table(runs)}"
