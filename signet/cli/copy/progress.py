"""How far a copy is, on one line of a terminal."""

import sys
import time

import click

from signet.cli.call import Call
from signet.cli.clean import clean
from signet.cli.words import seconds, size

_EVERY_SECONDS = 0.1


class Progress:
    """Shows the bytes that moved; `done` says it for good."""

    def __init__(self, call: Call, name: str) -> None:
        self._call = call
        self._name = name
        self._lively = sys.stderr.isatty() and not call.quiet and call.output == "table"
        self._began = time.monotonic()
        self._shown = 0.0
        self.bytes = 0

    def moved(self, count: int) -> None:
        """Count so many bytes."""
        self.bytes += count
        now = time.monotonic()
        if self._lively and now - self._shown > _EVERY_SECONDS:
            self._shown = now
            click.echo(f"\r\x1b[K{self._name}  {size(self.bytes)}", nl=False, err=True)

    def done(self, where: str) -> None:
        """Say that it is over."""
        if self._lively:
            click.echo("\r\x1b[K", nl=False, err=True)
        took = seconds((time.monotonic() - self._began) * 1e6)
        self._call.say(f"{self._name} → {where}  {size(self.bytes)} in {took}")

    def say(self, text: str) -> None:
        """Say something beside it."""
        self.stop()
        self._call.say(clean(text))

    def stop(self) -> None:
        """Take the line away: something went wrong."""
        if self._lively:
            click.echo("\r\x1b[K", nl=False, err=True)
