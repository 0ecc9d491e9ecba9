"""One call of the CLI: what was said for all commands alike, and the commands that hear it."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from signet.cli.near import near

if TYPE_CHECKING:
    from signet.client import AsyncSignet, Signet

OUTPUTS = ("table", "json", "jsonl", "yaml", "name")


@dataclass(frozen=True)
class Call:
    """What was said for all commands alike.

    `color`: False where no escape sequences may be written, else None, for "where it is a terminal".
    """

    data: str | None = None
    output: str = "table"
    color: bool | None = None
    quiet: bool = False

    def signet(self) -> "Signet":
        """Give a client of the fleet."""
        from signet.client import Signet

        return Signet(data=self.data)

    def asynchronous(self) -> "AsyncSignet":
        """Give a client for an event loop."""
        from signet.client import AsyncSignet

        return AsyncSignet(data=self.data)

    def say(self, text: str) -> None:
        """Tell a person something, on standard error; --quiet silences it."""
        if not self.quiet:
            click.echo(text, err=True, color=self.color)

    @property
    def lively(self) -> bool:
        """Whether a person watches and cursor movements are welcome."""
        return sys.stdout.isatty() and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def colorless() -> bool:
    """Tell whether the environment asks for no colours."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def shared() -> list[click.Parameter]:
    """Make the options that every command has."""
    return [
        click.Option(["-o", "--output"], type=click.Choice(OUTPUTS), help="How to print: see `signet help output`."),
        click.Option(["--json", "json_"], is_flag=True, help="The same as -o json."),
        click.Option(["--data"], metavar="DIR", help="Data folder of the fleet."),
        click.Option(["-q", "--quiet"], is_flag=True, help="Say nothing beside the data."),
        click.Option(["--no-color"], is_flag=True, help="No colours; NO_COLOR does the same."),
    ]


class Leaf(click.Command):
    """A command with the shared options; its function is given the Call first."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        own = {name for param in self.params for name in param.opts}
        self.params += [option for option in shared() if not own & set(option.opts)]

    def invoke(self, ctx: click.Context) -> Any:
        """Take the shared options out and hand the rest to the function."""
        said = {name: ctx.params.pop(name, None) for name in _SHARED}
        outer = ctx.parent
        while outer:  # said before the noun or before the verb it counts too; what was said last wins
            said = {name: value or outer.params.get(name) for name, value in said.items()}
            outer = outer.parent
        ctx.obj = Call(
            data=said["data"],
            output="json" if said["json_"] else said["output"] or "table",
            color=False if said["no_color"] or colorless() else None,
            quiet=bool(said["quiet"]),
        )
        return super().invoke(ctx)


_SHARED = ("output", "json_", "data", "quiet", "no_color")


class Noun(click.Group):
    """A group of verbs."""

    command_class = Leaf

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; an unknown one gets a suggestion."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            ctx.fail(f"`{ctx.command_path}` has no verb `{args[0]}`.{near(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


def leaf(name: str, **attributes: Any) -> Callable[[Callable[..., Any]], Leaf]:
    """Make a command of a function that takes a Call first."""

    def make(function: Callable[..., Any]) -> Leaf:
        return click.command(name, cls=Leaf, **attributes)(click.pass_obj(function))

    return make
