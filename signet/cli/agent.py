"""`signet agent`: named STAMP configurations."""

from typing import TYPE_CHECKING, Any

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import AGENT, MODEL, POLICY, SOUL
from signet.cli.words import count, ident, local

if TYPE_CHECKING:
    from signet.client import Signet
    from signet.v1.agents_pb2 import Agent, RunLimits
    from signet.v1.models_pb2 import Model

_LIMITS = ("max_rounds", "max_seconds", "max_output_tokens")


def _configuration(function: Any) -> Any:
    """Add the options that say what an agent is made of."""
    for option in reversed(
        (
            click.option("--description", metavar="TEXT", help="One line for people."),
            click.option("--soul", metavar="SOUL", shell_complete=SOUL, help="Its persona; see `signet soul list`."),
            click.option("--toolset", "toolsets", multiple=True, metavar="NAME", help="Offer a toolset; repeatable."),
            click.option("--runtime", metavar="NAME", help="What runs its loop: builtin."),
            click.option("--model", metavar="MODEL", shell_complete=MODEL, help="See `signet model list`."),
            click.option("--policy", metavar="POLICY", shell_complete=POLICY, help="See `signet policy list`."),
            click.option("--max-rounds", type=click.IntRange(1, 200), help="Model rounds of one run."),
            click.option("--max-seconds", type=click.IntRange(1, 86_400), help="Wall time of one run."),
            click.option("--max-output-tokens", type=click.IntRange(1, 131_072), help="Tokens of one model call."),
        )
    ):
        function = option(function)
    return function


@click.group("agent", cls=Noun)
def agent() -> None:
    """Agents: each a Soul, Tools, an Agent runtime, a Model and Permissions."""


@agent.command("create", epilog='Example: signet agent create scout --soul general --description "Looks around"')
@click.argument("name")
@_configuration
@click.pass_obj
def create(call: Call, /, *, name: str, **given: Any) -> None:
    """Create an agent; what is not said has its default."""
    from signet.cli.output import emit

    said = {key: value for key, value in given.items() if value and key not in _LIMITS}
    with call.signet() as signet:
        made = signet.agents.create(name, limits=_limits(given, None), **said)
    emit(call, made, lambda made: f"{made.name} is there")
    call.say(f"talk to it: signet chat {ident(made.name)}")


@agent.command("list")
@click.option("--deleted", is_flag=True, help="Deleted ones too.")
@click.pass_obj
def list_(call: Call, *, deleted: bool) -> None:
    """List agents."""
    from signet.cli.output import emit_all

    with call.signet() as signet:
        emit_all(call, signet.agents.list(show_deleted=deleted), _table)


@agent.command("show")
@click.argument("name", shell_complete=AGENT)
@click.pass_obj
def show(call: Call, *, name: str) -> None:
    """Show one agent."""
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.agents.get(name)
        model = _model(signet, found) if call.output == "table" else None
    emit(call, found, lambda found: _page(found, model))


@agent.command("update", epilog="Only what is said changes. `--toolset none` goes back to what the soul enables.")
@click.argument("name", shell_complete=AGENT)
@_configuration
@click.option("--etag", metavar="ETAG", default="", help="Refuse if somebody else was faster.")
@click.pass_obj
def update(call: Call, /, *, name: str, etag: str, **given: Any) -> None:
    """Change an agent; it has another stamp from its next run on."""
    from signet.cli.output import emit

    said = {key: value for key, value in given.items() if value not in {None, ()} and key not in _LIMITS}
    limited = any(given[key] for key in _LIMITS)
    if not said and not limited:
        raise click.UsageError("say what is to change, for example --model or --description")
    if said.get("toolsets") == ("none",):
        said["toolsets"] = ()
    with call.signet() as signet:
        if limited:
            before = signet.agents.get(name)
            etag = etag or before.etag  # the limits are sent whole, so nobody may change them meanwhile
            said["limits"] = _limits(given, before)
        changed = signet.agents.update(name, etag=etag, **said)
    emit(call, changed, lambda changed: f"{changed.name} is changed: {', '.join(said)}")


@agent.command("delete")
@click.argument("name", shell_complete=AGENT)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(call: Call, *, name: str, yes: bool) -> None:
    """Delete an agent; its runs and records stay."""
    from signet.cli.ask import confirm
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.agents.get(name)
        confirm(f"delete {found.name}? Its runs and records stay", yes=yes)
        gone = signet.agents.delete(found.name)
    emit(call, gone, lambda gone: f"{gone.name} is deleted")
    call.say(f"to bring it back: signet agent undelete {ident(gone.name)}")


@agent.command("undelete")
@click.argument("name")
@click.pass_obj
def undelete(call: Call, *, name: str) -> None:
    """Bring a deleted agent back as it was."""
    from signet.cli.output import emit

    with call.signet() as signet:
        back = signet.agents.undelete(name)
    emit(call, back, lambda back: f"{back.name} is back")


def _limits(given: dict[str, Any], before: "Agent | None") -> "RunLimits | None":
    from signet.v1.agents_pb2 import RunLimits

    said = RunLimits(**{key: given[key] for key in _LIMITS if given[key]})
    if before is None:
        return said
    merged = RunLimits()
    merged.CopyFrom(before.limits)
    merged.MergeFrom(said)
    return merged


def _model(signet: "Signet", found: "Agent") -> "Model | None":
    """Resolve the model; that the router is away does not keep an agent from being shown."""
    from signet.kit.errors import SignetError

    try:
        return signet.models.get(found.model)
    except SignetError:
        return None


def _table(agents: "list[Agent]") -> str:
    from signet.cli.table import columns

    return columns(
        ("NAME", "SOUL", "MODEL", "RUNTIME", "POLICY", "DESCRIPTION"),
        [
            (
                ident(found.name) + (" (deleted)" if found.HasField("delete_time") else ""),
                ident(found.soul),
                ident(found.model),
                found.runtime,
                ident(found.policy),
                found.description,
            )
            for found in agents
        ],
        empty="no agent yet: signet agent create NAME",
    )


def _page(found: "Agent", model: "Model | None") -> str:
    from signet.cli.model import described
    from signet.cli.table import pairs

    limits = found.limits
    bounds = f"{limits.max_rounds} rounds · {limits.max_seconds} s · {count(limits.max_output_tokens)} tokens a call"
    return pairs(
        [
            ("name", found.name),
            ("description", found.description),
            ("soul", ident(found.soul)),
            ("toolsets", ", ".join(found.toolsets) or "what the soul enables"),
            ("runtime", found.runtime),
            ("model", described(found.model, model)),
            ("policy", ident(found.policy)),
            ("limits of a run", bounds),
            ("created", local(found.create_time)),
            ("updated", local(found.update_time)),
            ("deleted", local(found.delete_time) if found.HasField("delete_time") else ""),
            ("etag", found.etag),
        ]
    )
