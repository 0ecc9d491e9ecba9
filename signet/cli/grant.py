"""`signet grant`: what was let through beyond the policies."""

from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import AGENT, GRANT
from signet.cli.words import ident, local, shortened

if TYPE_CHECKING:
    from signet.v1.policies_pb2 import Grant


@click.group("grant", cls=Noun)
def grant() -> None:
    """Grants: what was let through beyond the policies. ID may be a beginning that no other has."""


@grant.command("list")
@click.option("--agent", default="", metavar="AGENT", shell_complete=AGENT, help="Only this agent's.")
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@click.pass_obj
def list_(call: Call, *, agent: str, everything: bool) -> None:
    """List grants, newest first."""
    from signet.cli.output import emit_all

    with call.signet() as signet:
        emit_all(call, signet.grants.list(agent=agent, show_ended=everything), _table)


@grant.command("revoke")
@click.argument("name", metavar="ID", shell_complete=GRANT)
@click.pass_obj
def revoke(call: Call, *, name: str) -> None:
    """End a grant; what it let through is cut within a second."""
    from signet.cli.output import emit
    from signet.cli.resolve import grant_name

    with call.signet() as signet:
        gone = signet.grants.revoke(grant_name(signet, name))
    emit(call, gone, lambda gone: f"{gone.name} is revoked: {ident(gone.agent)} may no longer {_what(gone)}")


def _what(found: "Grant") -> str:
    from signet.cli.asks import asked

    return asked(found.ask, program=False)


def table(grants: "list[Grant]") -> str:
    """Lay out grants."""
    return _table(grants)


def _table(grants: "list[Grant]") -> str:
    from signet.cli.table import columns

    names = shortened(found.name for found in grants)
    return columns(
        ("ID", "AGENT", "FOR", "UNTIL", "BY", "MAY"),
        [
            (names[found.name], ident(found.agent), _reach(found), _until(found), found.caller, _what(found))
            for found in grants
        ],
        empty="no grant: an answer to `signet approvals` makes one",
    )


def _reach(found: "Grant") -> str:
    from signet.cli.form import word

    return word(found, "scope").lower() + (f" {ident(found.subject)[:13]}" if found.subject else "")


def _until(found: "Grant") -> str:
    if found.HasField("revoke_time"):
        return click.style("revoked", fg="red")
    return local(found.expire_time) if found.HasField("expire_time") else "revoked"
