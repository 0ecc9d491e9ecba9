"""`signet model`: what agents can think with."""

from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import MODEL
from signet.cli.words import count, ident, toned

if TYPE_CHECKING:
    from signet.v1.models_pb2 import Model

_DEMONSTRATION = "a demonstration model"


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


def _table(models: "list[Model]") -> str:
    from signet.cli.form import word
    from signet.cli.table import columns

    return columns(
        ("", "NAME", "STATE", "CONTEXT", "KIND", "DETAIL"),
        [
            (
                "*" if found.is_default else "",
                ident(found.name),
                toned(word(found, "state")),
                count(found.profile.context_tokens) if found.profile.context_tokens else "?",
                _kind(found),
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
            ("context", f"{count(profile.context_tokens)} tokens" if profile.context_tokens else "unknown"),
            ("chooses tools", choice.get(word(profile, "tool_choice"), "")),
            ("digest", found.digest),
        ]
    )
