"""`signet model`: what agents can think with."""

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import MODEL
from signet.cli.words import cost, count, ident, toned

if TYPE_CHECKING:
    from signet.v1.models_pb2 import Model

_DEMONSTRATION = "a demonstration model"
_Field = Literal["tools", "images", "json_schema", "reasoning"]
_ABILITIES: dict[str, _Field] = {
    "tools": "tools",
    "images": "images",
    "schema": "json_schema",
    "reasoning": "reasoning",
}
"""What a model may be able to do, as people read it, and the profile's field."""


@click.group("model", cls=Noun)
def model() -> None:
    """Models: what agents can think with."""


@model.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """List models."""
    from signet.cli.output import emit_all

    with call.signet() as signet:
        emit_all(call, signet.models.list(), _table)


@model.command("show")
@click.argument("name", default="default", shell_complete=MODEL)
@click.pass_obj
def show(call: Call, *, name: str) -> None:
    """Show one model; without a name the default one."""
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.models.get(name)
    emit(call, found, _page)


@model.command("use")
@click.argument("name", shell_complete=MODEL)
@click.pass_obj
def use(call: Call, *, name: str) -> None:
    """Choose the default model, which every agent has that names none."""
    from signet.cli.output import emit

    with call.signet() as signet:
        chosen = signet.models.use(name)
    emit(call, chosen, lambda chosen: f"models/default now stands for {described(chosen.name, chosen)}")


@model.command("ask", epilog='Examples: signet model ask default "Say hello" · cat log | signet model ask default -')
@click.argument("name", shell_complete=MODEL)
@click.argument("words", nargs=-1, metavar="[TEXT]...")
@click.option("--system", metavar="TEXT", default="", help="What the model is told first.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="The most that it may answer.")
@click.pass_obj
def ask(call: Call, *, name: str, words: tuple[str, ...], system: str, max_tokens: int | None) -> None:
    """Ask a model, without an agent, and print its answer as it comes.

    TEXT is the words given; `-` among them stands for standard input, which is read too when there are no words.
    With -o json one object follows: the answer, and what it used; with -o jsonl every event is a line, in OpenAI's
    form. Ctrl-C ends the provider's work, too.
    """
    from signet.cli.asked import asked
    from signet.cli.text import given

    text = given(words, usage='`signet model ask MODEL "…"`, or `… | signet model ask MODEL -`')
    messages = [{"role": "system", "content": system}] if system else []
    body: dict[str, Any] = {"model": name, "messages": [*messages, {"role": "user", "content": text}]}
    if max_tokens is not None:
        body["max_tokens"] = max_tokens
    asyncio.run(asked(call, body))


def described(name: str, found: "Model | None") -> str:
    """Name a model, what stands behind it, and what it is fit for."""
    if found is None:
        return ident(name)
    behind = f" → {ident(found.name)}" if found.name != name else ""
    return ident(name) + behind + (f" ({_DEMONSTRATION})" if found.profile.demonstration else "")


def _kind(found: "Model") -> str:
    if found.profile.demonstration:
        return _DEMONSTRATION
    kinds = [word for word, able in (("chat", found.profile.chat), ("embeddings", found.profile.embeddings)) if able]
    return ", ".join(kinds) or "-"


def _able(found: "Model") -> str:
    """Name what it is known to do, and what it is known not to do with a minus; what nobody told is left out."""
    told = [(name, field) for name, field in _ABILITIES.items() if found.profile.HasField(field)]
    return " ".join(name if getattr(found.profile, field) else f"-{name}" for name, field in told)


def _context(found: "Model") -> str:
    profile = found.profile
    if not profile.context_tokens:
        return f"unknown; the model could take {count(profile.model_tokens)}" if profile.model_tokens else "unknown"
    more = profile.model_tokens > profile.context_tokens
    return f"{count(profile.context_tokens)} tokens" + (
        f" as it is served; the model could take {count(profile.model_tokens)}" if more else ""
    )


def _said(found: "Model", field: _Field) -> str:
    return ("yes" if getattr(found.profile, field) else "no") if found.profile.HasField(field) else "not told"


def _price(found: "Model") -> str:
    """Give what its endpoint itself asks; empty where it does not tell."""
    if not found.HasField("input_price_microusd_per_million"):
        return ""
    given, made = found.input_price_microusd_per_million, found.output_price_microusd_per_million
    return f"{cost(given)} in, {cost(made)} out, as its endpoint says"


def _table(models: "list[Model]") -> str:
    from signet.cli.form import word
    from signet.cli.table import columns

    return columns(
        ("", "NAME", "STATE", "CONTEXT", "KIND", "CAN", "DETAIL"),
        [
            (
                "*" if found.is_default else "",
                ident(found.name),
                toned(word(found, "state")),
                count(found.profile.context_tokens) if found.profile.context_tokens else "?",
                _kind(found),
                _able(found),
                found.state_detail,
            )
            for found in models
        ],
        empty="no model: signet provider add NAME URL",
    )


def _page(found: "Model") -> str:
    from signet.cli.form import word
    from signet.cli.table import pairs

    profile = found.profile
    choice = {"EMBEDDING": "the runtime picks by similarity", "": "the model itself", "NATIVE": "the model itself"}
    return pairs(
        [
            ("name", found.name + ("  (the default)" if found.is_default else "")),
            ("kind", _kind(found) + (": too small for real work" if profile.demonstration else "")),
            ("provider", ident(found.provider)),
            ("upstream model", found.upstream_model),
            ("state", toned(word(found, "state")) + (f": {found.state_detail}" if found.state_detail else "")),
            ("context", _context(found)),
            ("an answer", f"at most {count(profile.output_tokens)} tokens" if profile.output_tokens else ""),
            *((name, _said(found, field)) for name, field in _ABILITIES.items()),
            ("price of a million", _price(found)),
            ("chooses tools", choice.get(word(profile, "tool_choice"), "")),
            ("digest", found.digest),
        ]
    )
