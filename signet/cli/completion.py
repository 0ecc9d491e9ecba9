"""`signet completion`: what a shell evaluates."""

from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, leaf

if TYPE_CHECKING:
    from click.shell_completion import ShellComplete

_HOW = {
    "bash": 'eval "$(signet completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(signet completion zsh)"   in ~/.zshrc, after compinit',
    "fish": "signet completion fish > ~/.config/fish/completions/signet.fish",
}


@leaf("completion", epilog=" · ".join(_HOW.values()))
@click.argument("shell", type=click.Choice(list(_HOW)))
def completion(call: Call, *, shell: str) -> None:
    """Print what makes a shell complete commands, options, and names of the fleet that runs."""
    click.echo(_completer(shell).source())
    if call.lively:
        call.say(f"# to have it always: {_HOW[shell]}")


def _completer(shell: str) -> "ShellComplete":
    from click.shell_completion import get_completion_class

    from signet.cli.main import cli

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    return found(cli(), {}, "signet", "_SIGNET_COMPLETE")
