"""`signet secret`: values that only the router keeps and that policies lend to connections."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import AGENT, SECRET, TOKEN
from signet.cli.words import ago, ident, local

if TYPE_CHECKING:
    from signet.v1.secrets_pb2 import Secret

_BYTES = 64 * 1024
_FORBIDDEN = "\0\r\n"


@click.group("secret", cls=Noun)
def secret() -> None:
    """Secrets: values that policies lend to agents' connections. They go in and never come out."""


def _whose(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name an owner."""
    agent = click.option("--owner", metavar="AGENT", default="", shell_complete=AGENT, help="This agent's.")
    user = click.option("--user", metavar="TOKEN", default="", shell_complete=TOKEN, help="Whose token this is.")
    return agent(user(command))


@secret.command("put", epilog="Example: gh auth token | signet secret put github-token")
@click.argument("name")
@click.option("--file", "path", metavar="FILE", help="Take the value from a file.")
@click.option("--env", "variable", metavar="VARIABLE", help="Take the value from the environment.")
@_whose
@click.pass_obj
def put(call: Call, *, name: str, path: str | None, variable: str | None, owner: str, user: str) -> None:
    """Store a value, over an earlier one.

    It is typed at a prompt that does not show it, piped in, or from --file or --env; never an argument. A line end
    behind it is dropped. One of the same name and owner is replaced; who has it in use gets the new one within a
    minute. An agent's goes when the agent is deleted, a user's when the token is revoked; of several of one name a run
    is lent its agent's, else that of the user who asked for it, else everybody's.
    """
    from signet.cli.output import emit

    whose = _owner(owner, user)
    value = _value(path, variable)
    with call.signet() as signet:
        kept = signet.secrets.put(name, value, owner=whose)
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
@_whose
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(call: Call, *, name: str, owner: str, user: str, yes: bool) -> None:
    """Remove a secret at once; connections that were lent it are refused."""
    from signet.cli.ask import confirm
    from signet.cli.output import emit
    from signet.v1.secrets_pb2 import Secret

    gone = Secret(name=name if name.startswith("secrets/") else f"secrets/{name}", owner=_owner(owner, user))
    whose = f" of {gone.owner}" if gone.owner else ""
    confirm(f"delete {gone.name}{whose}? It cannot be brought back", yes=yes)
    with call.signet() as signet:
        signet.secrets.delete(gone.name, owner=gone.owner)
    emit(call, gone, lambda gone: f"{gone.name} is gone")


def _owner(agent: str, user: str) -> str:
    if agent and user:
        raise click.UsageError("--owner and --user: it is an agent's or a user's")
    if user:
        return user if user.startswith("tokens/") else f"tokens/{user}"
    return agent if not agent or agent.startswith("agents/") else f"agents/{agent}"


def _value(path: str | None, variable: str | None) -> str:
    if path is not None and variable is not None:
        raise click.UsageError("--file and --env: it comes from one place")
    if variable is not None:
        if variable not in os.environ:
            raise click.UsageError(f"there is no {variable} in the environment")
        return _decoded(os.fsencode(os.environ[variable]), variable)
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
    from signet.v1.secrets_pb2 import SecretOrigin

    return columns(
        ("NAME", "OF", "FROM", "CHANGED", "LENT"),
        [
            (
                ident(kept.name),
                _person(kept.owner),
                SecretOrigin.Name(kept.origin).removeprefix("SECRET_ORIGIN_").lower(),
                local(kept.update_time),
                ago(kept.use_time),
            )
            for kept in secrets
        ],
        empty="no secret: signet secret put NAME",
    )


def _person(owner: str) -> str:
    if not owner:
        return "everybody"
    return owner if owner.startswith("tokens/") else ident(owner)
