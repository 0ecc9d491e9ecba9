"""`signet provider`: the endpoints that serve models."""

import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import PROVIDER
from signet.cli.dollars import Dollars, micro
from signet.cli.found import KINDS
from signet.cli.words import cost, ident, local, seconds, toned

if TYPE_CHECKING:
    from signet.v1.providers_pb2 import CheckProviderResponse, Provider

_KEY_BYTES = 8_192
_STDIN = click.option("--key-stdin", is_flag=True, help="Read the key from standard input.")
_ENV = click.option("--key-env", metavar="NAME", help="Take the key from an environment variable.")
_FILE = click.option("--key-file", metavar="FILE", help="Take the key from a file.")


@click.group("provider", cls=Noun)
def provider() -> None:
    """Keep the endpoints that serve models, and their keys."""


@provider.command("add", epilog="Example: signet provider add acme https://api.example.org/v1 --key-env ACME_API_KEY")
@click.argument("name")
@click.argument("base_url", metavar="URL")
@click.option("--kind", type=click.Choice(KINDS), help="Which server it is; without, it is asked.")
@_STDIN
@_ENV
@_FILE
@click.option("--model", "models", multiple=True, metavar="NAME", help="Offer only this model; repeatable.")
@click.option("--input-price", type=Dollars(), metavar="USD", help="Of a million input tokens.")
@click.option("--output-price", type=Dollars(), metavar="USD", help="Of a million output tokens.")
@click.pass_obj
def add(
    call: Call,
    *,
    name: str,
    base_url: str,
    kind: str | None,
    key_stdin: bool,
    key_env: str | None,
    key_file: str | None,
    models: tuple[str, ...],
    input_price: Decimal | None,
    output_price: Decimal | None,
) -> None:
    """Add an endpoint: a server of your own, or a hosted one.

    Without --kind it is asked which server it is; any that speaks OpenAI's chat completions will do. The key never
    stands on the command line, where others could see it. Without a price a run's cost is unknown, not zero.
    """
    from signet.cli.output import emit

    key = _key(key_stdin=key_stdin, key_env=key_env, key_file=key_file)
    with call.signet() as signet:
        made = signet.providers.create(
            name,
            base_url=base_url,
            kind=kind or "",
            key=key,
            models=models,
            input_price_microusd_per_million=None if input_price is None else micro(input_price),
            output_price_microusd_per_million=None if output_price is None else micro(output_price),
        )
    emit(call, made, _there)
    call.say(f"see what it serves: signet provider check {ident(made.name)}")


@provider.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """List providers."""
    from signet.cli.output import emit_all

    with call.signet() as signet:
        emit_all(call, signet.providers.list(), _table)


@provider.command("show")
@click.argument("name", shell_complete=PROVIDER)
@click.pass_obj
def show(call: Call, *, name: str) -> None:
    """Show one provider; its key is never shown."""
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.providers.get(name)
    emit(call, found, _page)


@provider.command("check")
@click.argument("name", shell_complete=PROVIDER)
@click.pass_obj
def check(call: Call, *, name: str) -> None:
    """Ask an endpoint for its models now; exits with 5 where it does not answer."""
    from signet.cli import codes
    from signet.cli.form import word
    from signet.cli.output import emit

    with call.signet() as signet:
        answer = signet.providers.check(name)
    found = answer.provider
    emit(call, answer, _checked, name=found.name)
    if word(found, "state") == "UNAVAILABLE":
        sys.exit(codes.UNAVAILABLE)


@provider.command("key", epilog="Example: signet provider key acme --key-env ACME_API_KEY")
@click.argument("name", shell_complete=PROVIDER)
@_STDIN
@_ENV
@_FILE
@click.option("--remove", "removes", is_flag=True, help="Keep no key any more.")
@click.pass_obj
def key(call: Call, *, name: str, key_stdin: bool, key_env: str | None, key_file: str | None, removes: bool) -> None:
    """Replace a provider's key. Without an option it is read from standard input.

    Calls that run go on with the old one. What is built in, or comes from the environment, has its key from there.
    """
    from signet.cli.output import emit

    named = key_stdin or key_env is not None or key_file is not None
    if removes and named:
        raise click.UsageError("give a new key, or --remove")
    given = "" if removes else _key(key_stdin=key_stdin or not named, key_env=key_env, key_file=key_file)
    with call.signet() as signet:
        changed = signet.providers.set_key(name, given)
    emit(call, changed, lambda changed: f"{changed.name} has {'another' if changed.has_key else 'no'} key")


@provider.command("scan", epilog="Example: signet provider scan localhost 192.168.1.20:8000 --add")
@click.argument("hosts", nargs=-1, required=True, metavar="HOST…")
@click.option("--add", "adds", is_flag=True, help="Add all that is found and needs no key.")
@click.pass_obj
def scan(call: Call, *, hosts: tuple[str, ...], adds: bool) -> None:
    """Look for servers of models on the hosts named.

    They are looked for at the ports they usually have. A host is a name or an address, with `:port` one place only.
    Each has two seconds to answer, and two more to say which server it is; nothing else is asked.
    """
    from signet.cli.found import line, needs_key, table
    from signet.cli.output import emit_all

    with call.signet() as signet:
        found = list(signet.providers.scan(*hosts))
        left = [each for each in found if not each.origin]
        if adds:
            ready = [each for each in left if not needs_key(each)]
            found = [signet.providers.create(each.name, base_url=each.base_url, kind=_word(each)) for each in ready]
            left = [each for each in left if needs_key(each)]
    emit_all(call, found, table)
    for each in left:
        call.say(line(each))


@provider.command("remove")
@click.argument("name", shell_complete=PROVIDER)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(call: Call, *, name: str, yes: bool) -> None:
    """Remove an endpoint and its key."""
    from signet.cli.ask import confirm
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.providers.get(name)
        confirm(f"remove {found.name} and its key", yes=yes)
        signet.providers.delete(found.name)
    emit(call, found, lambda found: f"{found.name} is removed")


def _word(found: "Provider") -> str:
    from signet.cli.form import word

    return word(found, "kind")


def _there(made: "Provider") -> str:
    return f"{made.name} is there ({_word(made).lower()}{'' if made.has_key else ', without a key'})"


def _key(*, key_stdin: bool, key_env: str | None, key_file: str | None) -> str:
    if sum((key_stdin, key_env is not None, key_file is not None)) > 1:
        raise click.UsageError("give the key in one way: --key-stdin, --key-env or --key-file")
    if key_stdin:
        if sys.stdin.isatty():
            return str(click.prompt("Key", hide_input=True, err=True)).strip()
        return _decoded(sys.stdin.buffer.read(_KEY_BYTES + 1), "standard input")
    if key_env is not None:
        if not os.environ.get(key_env):
            raise click.UsageError(f"the environment variable {key_env} is not set or empty")
        return os.environ[key_env].strip()
    if key_file is not None:
        with Path(key_file).open("rb") as file:
            return _decoded(file.read(_KEY_BYTES + 1), key_file)
    return ""


def _decoded(body: bytes, where: str) -> str:
    """Give the key. Says what is wrong with it, but never it."""
    if len(body) > _KEY_BYTES:
        raise click.UsageError(f"the key from {where} is over 8 KiB: that is no key")
    try:
        key = body.decode("ascii").strip()
    except UnicodeDecodeError:
        raise click.UsageError(f"the key from {where} is not ASCII: that is no key") from None
    if not key:
        raise click.UsageError(f"the key from {where} is empty")
    return key


def _table(providers: "list[Provider]") -> str:
    from signet.cli.form import word
    from signet.cli.table import columns

    return columns(
        ("NAME", "KIND", "STATE", "KEY", "MODELS", "FROM", "ADDRESS"),
        [
            (
                ident(found.name),
                word(found, "kind").lower(),
                toned(word(found, "state")),
                "yes" if found.has_key else "no",
                str(len(found.models)),
                found.origin,
                found.base_url or "in this fleet",
            )
            for found in providers
        ],
        empty="no provider: signet provider add NAME URL",
    )


def _page(found: "Provider") -> str:
    from signet.cli.form import word
    from signet.cli.table import pairs

    prices = found.HasField("input_price_microusd_per_million"), found.HasField("output_price_microusd_per_million")
    in_price = cost(found.input_price_microusd_per_million if prices[0] else None)
    out_price = cost(found.output_price_microusd_per_million if prices[1] else None)
    return pairs(
        [
            ("name", found.name),
            ("kind", word(found, "kind").lower()),
            ("address", found.base_url or "in this fleet"),
            ("state", toned(word(found, "state")) + (f": {found.state_detail}" if found.state_detail else "")),
            ("key", "kept by the router" if found.has_key else "none"),
            ("models", "\n".join(found.models)),
            ("price of a million", f"{in_price} in, {out_price} out"),
            ("from", found.origin),
            ("created", local(found.create_time) if found.create_time.seconds else ""),
        ]
    )


def _checked(answer: "CheckProviderResponse") -> str:
    from signet.cli.form import word

    found, micros = answer.provider, answer.duration_micros
    state = word(found, "state")
    if state == "UNAVAILABLE":
        return f"{toned(state)}: {found.state_detail or 'it did not answer'}"
    names = "\n".join(f"  {ident(found.name)}/{name}" for name in found.models)
    return f"{toned(state)}: answered in {seconds(micros)} with {len(found.models)} models\n{names}".rstrip()
