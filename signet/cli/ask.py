"""Questions before what cannot be taken back lightly."""

import sys

import click


def confirm(question: str, *, yes: bool) -> None:
    """Return if a person agrees, or `--yes` did. Raises UsageError where nobody can be asked, Abort on a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question}: nobody is there to ask; say --yes")
    if not click.confirm(question[:1].upper() + question[1:], err=True):
        raise click.Abort
