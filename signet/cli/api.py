"""`signet api`: HTTP APIs behind the router, which adds their credentials."""

import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import AGENT, API, SECRET
from signet.cli.dollars import Dollars, micro
from signet.cli.words import cost, count, ident, local, size

if TYPE_CHECKING:
    from signet.client.door import Answer
    from signet.v1.apis_pb2 import Api

_BODY_BYTES = 16 << 20
_REFUSED = 400


@click.group("api", cls=Noun)
def api() -> None:
    """APIs: HTTP services that agents call through the router, which adds their credentials."""


@api.command(
    "add",
    epilog="Example: signet api add search https://api.search.example.org --secret search-key "
    "--header 'X-Token: ' --allow 'GET /v1/*' --agent assistant",
)
@click.argument("name", shell_complete=API)
@click.argument("base_url", metavar="URL")
@click.option("--secret", default="", metavar="NAME", shell_complete=SECRET, help="Its credential: signet secret put.")
@click.option(
    "--header", metavar="TEXT", help="Where the credential goes, and what stands before it; 'Authorization: Bearer '."
)
@click.option("--query", metavar="NAME", help="The credential goes into this parameter of the query.")
@click.option("--allow", multiple=True, metavar="RULE", help="'METHOD /path/glob', repeatable; without it every GET.")
@click.option("--agent", "agents", multiple=True, metavar="NAME", shell_complete=AGENT, help="May call it; repeatable.")
@click.option("--price", type=Dollars(), metavar="USD", help="Of a call; unknown without it.")
@click.option("--rate", type=click.IntRange(1, 100_000), metavar="N", help="Calls a minute of each agent; 60.")
@click.option(
    "--answer-bytes", type=click.IntRange(1024, 64 << 20), metavar="N", help="Most bytes of an answer; 4 MiB."
)
@click.option("--description", default="", metavar="TEXT", help="For people and agents.")
@click.pass_obj
def add(
    call: Call,
    *,
    name: str,
    base_url: str,
    secret: str,
    header: str | None,
    query: str | None,
    allow: tuple[str, ...],
    agents: tuple[str, ...],
    price: Decimal | None,
    rate: int | None,
    answer_bytes: int | None,
    description: str,
) -> None:
    """Put an API behind the router. One of the same name is replaced, from the next call on.

    Agents that --agent or their policy (`apis: [NAME]`) names call it at http://inference.local/apis/NAME/… and never
    see its credential. Paths in --allow are those below URL: * is any letters of one segment, ** any segments.
    """
    from signet.cli.output import emit

    with call.signet() as signet:
        kept = signet.apis.put(
            name,
            base_url,
            secret=secret,
            placement=_placement(secret, header, query),
            allow=allow,
            agents=agents,
            call_price_microusd=None if price is None else micro(price),
            calls_per_minute=rate or 0,
            answer_bytes=answer_bytes or 0,
            description=description,
        )
    emit(call, kept, lambda kept: f"{kept.name} is at http://inference.local/{kept.name}/")
    call.say(f"try it: signet api call {ident(kept.name)} /path")


@api.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """List APIs."""
    from signet.cli.output import emit_all

    with call.signet() as signet:
        emit_all(call, signet.apis.list(), _table)


@api.command("show")
@click.argument("name", shell_complete=API)
@click.pass_obj
def show(call: Call, *, name: str) -> None:
    """Show one API."""
    from signet.cli.output import emit

    with call.signet() as signet:
        emit(call, signet.apis.get(name), _page)


@api.command("remove")
@click.argument("name", shell_complete=API)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(call: Call, *, name: str, yes: bool) -> None:
    """Remove an API. Its secret stays: signet secret delete."""
    from signet.cli.ask import confirm
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.apis.get(name)
        confirm(f"remove {found.name}", yes=yes)
        signet.apis.delete(found.name)
    emit(call, found, lambda found: f"{found.name} is removed")


@api.command("call", epilog="Example: signet api call search '/v1/find?q=tea' | jq .")
@click.argument("name", shell_complete=API)
@click.argument("path", default="/")
@click.option("-X", "--method", metavar="WORD", help="GET, or POST with a body.")
@click.option("-H", "--header", "headers", multiple=True, metavar="TEXT", help="'Name: value'; repeatable.")
@click.option("-d", "--data-file", "data_file", metavar="FILE", help="Send this file as the body; - is standard input.")
@click.pass_obj
def call_(
    call: Call, *, name: str, path: str, method: str | None, headers: tuple[str, ...], data_file: str | None
) -> None:
    """Call an API as agents do, in your own name.

    The same rules of paths, rate and budgets hold. The answer's body is written as it is; exits with 1 where its
    status is 400 or more.
    """
    from signet.cli import codes

    body = _body(data_file)
    said = dict(_header(text) for text in headers)
    with call.signet() as signet:
        answer = signet.apis.call(
            name, path, method=method or ("POST" if data_file else "GET"), headers=said, body=body
        )
    _print(call, answer)
    if answer.status >= _REFUSED:
        sys.exit(codes.FAILED)


def _placement(secret: str, header: str | None, query: str | None) -> str:
    if header is not None and query is not None:
        raise click.UsageError("the credential goes to one place: --header or --query")
    if not secret and (header is not None or query is not None):
        raise click.UsageError("--header and --query say where a credential goes: name it with --secret")
    if query is not None:
        return f"query:{query}"
    if header is None:
        return "header:Authorization:Bearer " if secret else ""
    name, colon, prefix = header.partition(":")
    prefix = prefix.removeprefix(" ")
    return f"header:{name.strip()}:{prefix}" if colon and prefix else f"header:{name.strip()}"


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise click.UsageError(f"{text!r} is no header: write 'Name: value'")
    return name.strip(), value.strip()


def _body(path: str | None) -> bytes:
    if path is None:
        return b""
    if path == "-":
        body = sys.stdin.buffer.read(_BODY_BYTES + 1)
    else:
        with Path(path).open("rb") as file:
            body = file.read(_BODY_BYTES + 1)
    if len(body) > _BODY_BYTES:
        raise click.UsageError("a body has at most 16 MiB")
    return body


def _print(call: Call, answer: "Answer") -> None:
    from signet.cli.clean import clean
    from signet.cli.output import structured

    if call.output in ("table", "name"):
        call.say(f"status {answer.status}")
        if sys.stdout.isatty():
            click.echo(clean(answer.body.decode(errors="replace")))
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(answer.body)
            sys.stdout.buffer.flush()
        return
    structured(call, _shape(answer))


def _shape(answer: "Answer") -> dict[str, Any]:
    """Give its JSON form: `body` is a text, or null with `body_base64` for bytes that are none."""
    from base64 import b64encode

    try:
        return {"status": answer.status, "headers": dict(answer.headers), "body": answer.body.decode()}
    except UnicodeDecodeError:
        text = b64encode(answer.body).decode()
        return {"status": answer.status, "headers": dict(answer.headers), "body": None, "body_base64": text}


def _price(found: "Api") -> str:
    return cost(found.call_price_microusd if found.HasField("call_price_microusd") else None)


def _table(apis: "list[Api]") -> str:
    from signet.cli.table import columns

    return columns(
        ("NAME", "ADDRESS", "SECRET", "AGENTS", "PRICE", "A MINUTE", "DESCRIPTION"),
        [
            (
                ident(found.name),
                found.base_url,
                ident(found.secret) or "none",
                ", ".join(map(ident, found.agents)) or "by policy",
                _price(found),
                count(found.calls_per_minute),
                found.description,
            )
            for found in apis
        ],
        empty="no API: signet api add NAME URL",
    )


def _page(found: "Api") -> str:
    from signet.cli.table import pairs

    agents = [ident(agent) for agent in found.agents]
    return pairs(
        [
            ("name", found.name),
            ("address", found.base_url),
            ("inside", f"http://inference.local/{found.name}/"),
            ("description", found.description),
            ("secret", f"{ident(found.secret)}, as {found.placement}" if found.secret else "none"),
            ("allows", "\n".join(found.allow) or "GET /**"),
            ("agents", ", ".join([*agents, f"those whose policy has `apis: [{ident(found.name)}]`"])),
            ("price of a call", _price(found)),
            ("calls a minute", f"{count(found.calls_per_minute)} of each agent"),
            ("longest answer", size(found.answer_bytes)),
            ("changed", local(found.update_time)),
        ]
    )
