"""`signet route`: public model names, each with targets in order."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import MODEL, ROUTE
from signet.cli.words import count, ident, local, seconds

if TYPE_CHECKING:
    from signet.v1.routes_pb2 import ExplainRouteResponse, Route, Target

_PREFERENCES = ("order", "weight", "price", "speed", "load")
_CAPABILITIES = ("tools", "images", "json_schema", "reasoning", "embeddings")
_WEIGHT = 100
_PERCENT = 10


@click.group("route", cls=Noun)
def route() -> None:
    """Routes: names of your own for models, with others to turn to."""


@route.command("put", epilog="Example: signet route put fast --target openai/gpt-x --target embedded/smollm2,weight=10")
@click.argument("name", shell_complete=ROUTE)
@click.option(
    "--target",
    "targets",
    multiple=True,
    required=True,
    metavar="PROVIDER/MODEL[,…]",
    help="A target, in order; repeatable. After it: weight=N, concurrency=N, context=TOKENS, can=tools+images.",
)
@click.option(
    "--prefer",
    type=click.Choice(_PREFERENCES),
    default="order",
    show_default=True,
    help="How to choose among targets that are ready.",
)
@click.option(
    "--hedge",
    "hedge_millis",
    type=click.IntRange(0, 600_000),
    default=0,
    metavar="MILLISECONDS",
    help="Ask the next target, too, where the first has not begun to answer by then; both may cost money.",
)
@click.option("--repeat-timeouts", is_flag=True, help="Ask the next target also after one that may still charge.")
@click.option("--description", default="", metavar="TEXT", help="For people.")
@click.pass_obj
def put(
    call: Call,
    *,
    name: str,
    targets: tuple[str, ...],
    prefer: str,
    hedge_millis: int,
    repeat_timeouts: bool,
    description: str,
) -> None:
    """Keep a route, over an earlier one of the name. It is in effect at once; calls that run go on as they began."""
    from signet.cli.output import emit

    with call.signet() as signet:
        kept = signet.routes.put(
            name,
            [parsed(text) for text in targets],
            prefer=prefer,
            hedge_millis=hedge_millis,
            repeat_timeouts=repeat_timeouts,
            description=description,
        )
    emit(call, kept, lambda kept: f"models/{ident(kept.name)} is answered by {', '.join(_names(kept))}")


@route.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """List routes."""
    from signet.cli.output import emit_all

    with call.signet() as signet:
        emit_all(call, signet.routes.list(), _table)


@route.command("show")
@click.argument("name", shell_complete=ROUTE)
@click.pass_obj
def show(call: Call, *, name: str) -> None:
    """Show one route."""
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.routes.get(name)
    emit(call, found, _page)


@route.command("remove")
@click.argument("name", shell_complete=ROUTE)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(call: Call, *, name: str, yes: bool) -> None:
    """Remove a route; calls that run go on."""
    from signet.cli.ask import confirm
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.routes.get(name)
        confirm(f"remove {found.name}? Nobody answers models/{ident(found.name)} then", yes=yes)
        signet.routes.delete(found.name)
    emit(call, found, lambda found: f"{found.name} is removed")


@route.command("explain", epilog="Example: signet route explain fast --needs tools --tokens 50000")
@click.argument("model", shell_complete=MODEL)
@click.option("--session", default="", metavar="SESSION", help="As for a call of this session.")
@click.option(
    "--needs", multiple=True, type=click.Choice(_CAPABILITIES), help="As for a call that needs it; repeatable."
)
@click.option("--tokens", type=click.IntRange(0, (1 << 31) - 1), default=0, metavar="COUNT", help="Of the prompt.")
@click.pass_obj
def explain(call: Call, *, model: str, session: str, needs: tuple[str, ...], tokens: int) -> None:
    """Show which target a call would get, and why.

    Of each other one it says why not. Nothing is called.
    """
    from signet.cli.output import emit

    with call.signet() as signet:
        answer = signet.routes.explain(model, session=session, needs=needs, input_tokens=tokens)
    emit(call, answer, _explained, name=model)


def parsed(text: str) -> "Target":
    """Read a target, `provider/model` with options after commas. Raises UsageError."""
    from signet.v1.routes_pb2 import Target

    words = text.split(",")
    options: dict[str, Any] = {}
    while len(words) > 1 and (read := _OPTIONS.get(words[-1].partition("=")[0])) is not None:
        word, _, value = words.pop().partition("=")
        field, convert = read
        try:
            options[field] = convert(value)
        except ValueError:
            raise click.UsageError(f"--target {text}: {word}={value} is none: give {_FORMS[word]}") from None
    if len(words) > 1 and "=" in words[-1]:
        word = words[-1].partition("=")[0]
        raise click.UsageError(f"--target {text}: there is no {word}=; there are {'=, '.join(_OPTIONS)}=")
    provider, _, model = ",".join(words).removeprefix("models/").partition("/")
    if not provider or not model:
        raise click.UsageError(f"--target {text}: must begin with provider/model, as `signet model list` shows them")
    return Target(provider=f"providers/{provider}", upstream_model=model, **options)


def _whole(text: str) -> int:
    value = int(text)
    if not 0 < value < 1 << 31:
        raise ValueError
    return value


def _abilities(text: str) -> list[str]:
    words = text.split("+")
    if not set(words) <= set(_CAPABILITIES):
        raise ValueError
    return words


_OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "weight": ("weight", _whole),
    "concurrency": ("concurrency", _whole),
    "context": ("context_tokens", _whole),
    "can": ("capabilities", _abilities),
}
_FORMS = {
    "weight": "weight=1 to weight=1000",
    "concurrency": "concurrency=1 to concurrency=10000",
    "context": "context=TOKENS",
    "can": f"can= with {', '.join(_CAPABILITIES)}, joined by +",
}


def _named(target: "Target") -> str:
    return f"{ident(target.provider)}/{target.upstream_model}"


def _names(found: "Route") -> list[str]:
    return [_named(target) for target in found.targets]


def _table(routes: "list[Route]") -> str:
    from signet.cli.form import word
    from signet.cli.table import columns

    return columns(
        ("NAME", "PREFERS", "HEDGE", "TARGETS"),
        [
            (
                ident(found.name),
                word(found, "preference").lower(),
                f"{found.hedge_millis} ms" if found.hedge_millis else "-",
                ", ".join(_names(found)),
            )
            for found in routes
        ],
        empty="no route: signet route put NAME --target PROVIDER/MODEL",
    )


def _page(found: "Route") -> str:
    from signet.cli.form import word
    from signet.cli.table import pairs

    hedge = f"the next target after {found.hedge_millis} ms" if found.hedge_millis else ""
    return pairs(
        [
            ("name", found.name),
            ("model", f"models/{ident(found.name)}"),
            ("targets", "\n".join(_line(target) for target in found.targets)),
            ("prefers", word(found, "preference").lower()),
            ("hedges", hedge),
            ("after a timeout", "asks the next target, which may cost both" if found.repeat_timeouts else ""),
            ("description", found.description),
            ("changed", local(found.update_time)),
        ]
    )


def _line(target: "Target") -> str:
    said = [
        f"weight {target.weight}" if target.weight != _WEIGHT else "",
        f"{count(target.concurrency)} calls at once" if target.concurrency else "",
        f"{count(target.context_tokens)} tokens" if target.context_tokens else "",
        f"can {', '.join(target.capabilities)}" if target.capabilities else "",
    ]
    return "; ".join([_named(target), *(each for each in said if each)])


def _explained(answer: "ExplainRouteResponse") -> str:
    from signet.cli.table import columns

    return columns(
        ("PLACE", "TARGET", "CIRCUIT", "CALLS", "FIRST BYTE", "FAILED", "WHY"),
        [
            (
                str(state.place or "-"),
                _named(state.target),
                state.circuit,
                f"{state.active}/{state.allowed}",
                seconds(state.first_byte_micros) if state.first_byte_micros else "-",
                f"{state.failures_per_mille // _PERCENT} %",
                state.reason,
            )
            for state in answer.targets
        ],
    )
