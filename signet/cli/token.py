"""`signet token`: by which callers are known."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun
from signet.cli.span import Span
from signet.cli.words import ident, local

if TYPE_CHECKING:
    from signet.v1.tokens_pb2 import Token


@click.group("token", cls=Noun)
def token() -> None:
    """Tokens: by which callers are known."""


@token.command("create", epilog='Example: export SIGNET_TOKEN="$(signet token create laptop --expires 90d -o name)"')
@click.argument("title")
@click.option("--scope", default="operator", metavar="SCOPE", help="operator (default), viewer or worker.")
@click.option("--expires", type=Span(), metavar="SPAN", help="30m, 12h, 90d, 4w; without it, never.")
@click.pass_obj
def create(call: Call, *, title: str, scope: str, expires: timedelta | None) -> None:
    """Make a token. Its secret is printed now and never again; with -o name the secret alone."""
    from signet.cli.output import emit

    with call.signet() as signet:
        until = datetime.now(UTC) + expires if expires else None
        made = signet.tokens.create(title, scope=scope, expires=until)
    emit(call, made, lambda made: made.secret, name=made.secret)
    call.say(f"{made.token.name} for “{title}”: keep the secret above, it is not shown again")


@token.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """List tokens, newest first, without their secrets."""
    from signet.cli.output import emit_all

    with call.signet() as signet:
        emit_all(call, signet.tokens.list(), _table)


@token.command("revoke")
@click.argument("name")
@click.pass_obj
def revoke(call: Call, *, name: str) -> None:
    """End a token at once."""
    from signet.cli.output import emit

    with call.signet() as signet:
        gone = signet.tokens.revoke(name)
    emit(call, gone, lambda gone: f"{gone.name} is revoked")


def _table(tokens: "list[Token]") -> str:
    from signet.cli.form import word
    from signet.cli.table import columns

    return columns(
        ("NAME", "SCOPE", "STATE", "CREATED", "TITLE"),
        [
            (ident(found.name), word(found, "scope").lower(), _state(found), local(found.create_time), found.title)
            for found in tokens
        ],
    )


def _state(found: "Token") -> str:
    if found.HasField("revoke_time"):
        return click.style("revoked", fg="red")
    if not found.HasField("expire_time"):
        return click.style("valid", fg="green")
    if found.expire_time.ToDatetime(UTC) <= datetime.now(UTC):
        return click.style("expired", fg="yellow")
    return click.style(f"until {local(found.expire_time)}", fg="green")
