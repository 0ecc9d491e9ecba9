"""`signet secret`: values that only the router keeps and that policies lend to connections."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import AGENT, SECRET
from signet.cli.words import ago, ident, local

if TYPE_CHECKING:
    from signet.v1.secrets_pb2 import Secret

_BYTES = 64 * 1024
_FORBIDDEN = "\0\r\n"


@click.group("secret", cls=Noun)
def secret() -> None:
    """Secrets: values that policies lend to agents' connections. They go in and never come out."""


@secret.command("put", epilog="Example: gh auth token | signet secret put github-token")
@click.argument("name")
@click.option("--file", "path", metavar="FILE", help="Take the value from a file.")
@click.option("--owner", metavar="AGENT", default="", shell_complete=AGENT, help="Remove it with this agent.")
@click.pass_obj
def put(call: Call, *, name: str, path: str | None, owner: str) -> None:
    """Store a value: typed at a prompt that does not show it, piped in, or from --file. Never an argument.

    A line end behind it is dropped. One of the same name is replaced; who has it in use gets the new one within
    a minute.
    """
    from signet.cli.output import emit

    value = _value(path)
    with call.signet() as signet:
        kept = signet.secrets.put(name, value, owner=owner)
    emit(call, kept, lambda kept: f"{kept.name} is kept by the router")
    call.say("lend it to a host in a policy: docs/policy.md, `secrets`")


@secret.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """List secrets, without their values."""
    from signet.cli.output import emit_all

    with call.signet() as signet:
        emit_all(call, signet.secrets.list(), _table)


@secret.command("delete")
@click.argument("name", shell_complete=SECRET)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(call: Call, *, name: str, yes: bool) -> None:
    """Remove a secret at once; connections that were lent it are refused."""
    from signet.cli.ask import confirm
    from signet.cli.output import emit
    from signet.v1.secrets_pb2 import Secret

    gone = Secret(name=name if name.startswith("secrets/") else f"secrets/{name}")
    confirm(f"delete {gone.name}? It cannot be brought back", yes=yes)
    with call.signet() as signet:
        signet.secrets.delete(gone.name)
    emit(call, gone, lambda gone: f"{gone.name} is gone")


def _value(path: str | None) -> str:
    if path is not None:
        with Path(path).open("rb") as file:
            return _decoded(file.read(_BYTES + 2), path)
    if sys.stdin.isatty():
        return _decoded(str(click.prompt("Value", hide_input=True, err=True)).encode(), "the prompt")
    return _decoded(sys.stdin.buffer.read(_BYTES + 2), "standard input")


def _decoded(body: bytes, where: str) -> str:
    """Give the value. Says what is wrong with it, but never it."""
    try:
        value = body.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise click.UsageError(f"the value from {where} is not UTF-8") from None
    if not value:
        raise click.UsageError(f"the value from {where} is empty")
    if len(value.encode()) > _BYTES:
        raise click.UsageError(f"the value from {where} is over 64 KiB")
    if any(bad in value for bad in _FORBIDDEN):
        raise click.UsageError(f"the value from {where} has several lines or a NUL: a header takes one line")
    return value


def _table(secrets: "list[Secret]") -> str:
    from signet.cli.table import columns

    return columns(
        ("NAME", "OF", "CHANGED", "LENT"),
        [
            (ident(kept.name), ident(kept.owner) or "everybody", local(kept.update_time), ago(kept.use_time))
            for kept in secrets
        ],
        empty="no secret: signet secret put NAME",
    )
