"""`signet approvals`, `signet approve`, `signet deny`: what agents ask people, and the answers."""

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun, leaf, shared
from signet.cli.complete import AGENT, APPROVAL
from signet.cli.span import Span
from signet.cli.words import ago, ident, local, shortened, toned

if TYPE_CHECKING:
    from signet.v1.approvals_pb2 import Approval

_STATES = ("pending", "approved", "denied", "expired")


@click.group("approvals", cls=Noun, invoke_without_command=True, params=shared())
@click.pass_context
def approvals(ctx: click.Context, /, **_: object) -> None:
    """Show what agents ask to be let through with; bare: what waits. ID may be a beginning that no other has."""
    if ctx.invoked_subcommand is None:
        with list_.make_context("list", [], parent=ctx) as inner:
            list_.invoke(inner)


@approvals.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that were answered or ran out, too.")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only in this state; repeatable.")
@click.option("--agent", default="", metavar="AGENT", shell_complete=AGENT, help="Only this agent's.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most.")
@click.option("--page-token", default="", metavar="TOKEN", help="Go on where the previous page ended.")
@click.pass_obj
def list_(call: Call, *, everything: bool, states: tuple[str, ...], agent: str, limit: int, page_token: str) -> None:
    """List approvals, newest first: those that wait, unless --all or --state says otherwise."""
    from signet.cli.output import emit_all, more

    wanted = states or (() if everything else ("pending",))
    with call.signet() as signet:
        page = signet.approvals.list(states=wanted, agent=agent, page_size=limit, page_token=page_token).page()
    emit_all(call, page.approvals, _table)
    more(call, page.next_page_token)


@approvals.command("show")
@click.argument("name", metavar="ID", shell_complete=APPROVAL)
@click.pass_obj
def show(call: Call, *, name: str) -> None:
    """Show one approval: what is asked, and what a yes would open."""
    from signet.cli.output import emit
    from signet.cli.resolve import approval_name

    with call.signet() as signet:
        found = signet.approvals.get(approval_name(signet, name))
    emit(call, found, _page)


@approvals.command("watch")
@click.pass_obj
def watch(call: Call) -> None:
    """Show what waits, then each that is asked, answered or runs out, until Ctrl-C. With -o json a line each."""
    asyncio.run(_watch(call))


@leaf("approve", epilog="Example: signet approve last --for 2h")
@click.argument("name", metavar="ID", shell_complete=APPROVAL)
@click.option(
    "--once",
    "scope",
    flag_value="run",
    help="For the run that asked, until it ends: the default. If it has ended, the default is the agent for an hour.",
)
@click.option("--session", "scope", flag_value="session", help="For the session that asked.")
@click.option("--always", "scope", flag_value="agent", help="For the agent, until it is revoked.")
@click.option("--for", "span", type=Span(), metavar="SPAN", help="For so long (30m, 2h, 7d): the agent, or --session.")
def approve(call: Call, *, name: str, scope: str | None, span: timedelta | None) -> None:
    """Let an agent through with what it asks. ID may be a beginning that no other has, or `last`."""
    from signet.cli.output import emit
    from signet.cli.resolve import approval_name

    if span and scope == "run":
        raise click.UsageError("--once ends with the run: leave out --for, or say --session")
    reach = scope or ("agent" if span else "")
    with call.signet() as signet:
        whole = approval_name(signet, name)
        found = signet.approvals.approve(whole, scope=reach, hold_seconds=int(span.total_seconds()) if span else 0)
    emit(call, found, lambda found: f"{click.style('✓', fg='green')} {_who(found)} may {_what(found, program=False)}")
    if found.grant:
        call.say(f"to end it: signet grant revoke {ident(found.grant)}")


@leaf("deny")
@click.argument("name", metavar="ID", shell_complete=APPROVAL)
def deny(call: Call, *, name: str) -> None:
    """Refuse what an agent asks. ID may be a beginning that no other has, or `last`."""
    from signet.cli.output import emit
    from signet.cli.resolve import approval_name

    with call.signet() as signet:
        found = signet.approvals.deny(approval_name(signet, name))
    emit(call, found, lambda found: f"{click.style('✗', fg='red')} {_who(found)} may not {_what(found, program=False)}")


async def _watch(call: Call) -> None:
    from signet.cli.clean import cleaned
    from signet.cli.form import form
    from signet.cli.output import line, structured

    async with call.asynchronous() as signet, aclosing(signet.approvals.watch()) as watching:
        async for found in watching:
            if call.output in {"json", "jsonl"}:
                line(form(found))
            elif call.output == "yaml":
                structured(call, [form(found)])
            elif call.output == "name":
                click.echo(found.name)
            else:
                click.echo(_line(cleaned(found)), color=call.color)


def _line(found: "Approval") -> str:
    from signet.cli.form import word

    state = word(found, "state")
    head = f"{ident(found.name)}  {toned(state)}  {_who(found)} asks to {_what(found)}"
    if state != "PENDING":
        return f"{head}{f', answered by {found.caller}' if found.caller else ''}"
    return f"{head}\n  {found.blast_radius}\n  signet approve {ident(found.name)}"


def _who(found: "Approval") -> str:
    return ident(found.agent)


def _what(found: "Approval", *, program: bool = True) -> str:
    from signet.cli.asks import asked

    return asked(found.ask, program=program)


def _table(found: "list[Approval]") -> str:
    from signet.cli.form import word
    from signet.cli.table import columns

    names = shortened(row.name for row in found)
    return columns(
        ("ID", "STATE", "AGENT", "ASKED", "TO"),
        [(names[row.name], toned(word(row, "state")), _who(row), ago(row.create_time), _what(row)) for row in found],
        empty="nothing waits for an answer",
    )


def _page(found: "Approval") -> str:
    from signet.cli.form import word
    from signet.cli.table import pairs

    pending = word(found, "state") == "PENDING"
    facts = pairs(
        [
            ("approval", ident(found.name)),
            ("state", toned(word(found, "state"))),
            ("agent", ident(found.agent)),
            ("asks to", _what(found)),
            ("a yes opens", found.blast_radius),
            ("run", ident(found.run)),
            ("session", ident(found.session)),
            ("asked", f"{local(found.create_time)} ({ago(found.create_time)})"),
            ("waits until", local(found.expire_time) if pending else ""),
            ("answered", f"{local(found.answer_time)} by {found.caller}" if found.caller else ""),
            ("grant", ident(found.grant)),
        ]
    )
    return f"{facts}\n\nsignet approve {ident(found.name)}   or   signet deny {ident(found.name)}" if pending else facts
