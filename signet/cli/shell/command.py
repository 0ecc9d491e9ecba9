"""`signet shell`: work inside an agent's sandbox."""

import asyncio
import sys

import click

from signet.cli.call import Call, leaf
from signet.cli.complete import AGENT

_WORDS = {"allow_interspersed_args": False}


@leaf(
    "shell",
    context_settings=_WORDS,
    epilog="Examples: signet shell assistant · signet shell assistant -- git status · tar c . | signet shell a tar x",
)
@click.argument("agent", default="assistant", shell_complete=AGENT)
@click.argument("words", nargs=-1, metavar="[-- CMD...]")
@click.option("--folder", metavar="PATH", default="", help="Folder inside; the workspace unless said.")
def shell(call: Call, *, agent: str, words: tuple[str, ...], folder: str) -> None:
    """Open a shell in AGENT's sandbox, or run CMD there; it may what the agent may.

    One that runs already is joined, beside what the agent does in it; else one is opened. With a terminal all keys go
    inside, Ctrl-C too; Enter and `~.` leave one that hangs. Without a terminal the streams are pipes, byte for byte.
    The exit code is the command's.
    """
    from signet.cli.shell.attach import attach

    sys.exit(asyncio.run(attach(call, agent, spoken(words), folder=folder)))


def spoken(words: tuple[str, ...]) -> tuple[str, ...]:
    """Give the command's own words: the `--` before them says only that they are its own."""
    return words[1:] if words[:1] == ("--",) else words
