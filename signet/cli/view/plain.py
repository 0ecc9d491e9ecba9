"""A run as lines: the answer on standard output, what happens meanwhile on standard error."""

import sys
from collections.abc import Collection

import click

from signet.cli.call import Call
from signet.cli.clean import cleaned
from signet.cli.view.phrases import NOTED, ended, noted, refused, tool_ended, tool_started
from signet.v1.events_pb2 import RunEvent


class Plain:
    """Shows events as they come. `streaming` writes the answer while it grows, else it comes whole at the end.

    Only the whole answer is free of what a lost attempt or an earlier round had said.
    """

    def __init__(self, call: Call, *, streaming: bool, answer: bool = True, hushed: Collection[str] = ()) -> None:
        self._hushed = hushed
        self._call = call
        self._streaming = streaming and answer
        self._answer = answer
        self._verbatim = not sys.stdout.isatty()  # a pipe gets what the agent wrote, a terminal what is safe for it
        self._talking = answer or sys.stderr.isatty()  # a program that asked for JSON is told nothing else
        self._tools: dict[str, str] = {}
        self._open_line = False

    def show(self, event: RunEvent) -> None:
        """Show one event."""
        raw, event = event, cleaned(event)
        kind = event.WhichOneof("kind")
        if kind == "text":
            self._write((raw if self._verbatim else event).text.text)
        elif kind == "tool_call_started":
            self._tools[event.tool_call_started.id] = event.tool_call_started.tool
            self._tell(tool_started(event.tool_call_started))
        elif kind == "tool_call_finished":
            self._tell(tool_ended(event.tool_call_finished, self._tools.get(event.tool_call_finished.id, "tool")))
        elif kind in NOTED and event.notice.code not in self._hushed:
            if kind != "egress_decided" or refused(event):
                self._tell(noted(event))
        elif kind == "finished":
            self._finish(raw if self._verbatim else event, event)

    def _finish(self, answer: RunEvent, event: RunEvent) -> None:
        if self._answer and not self._streaming and answer.finished.output:
            click.echo(answer.finished.output)
        self._tell(ended(event))

    def _write(self, text: str) -> None:
        if not self._streaming or not text:
            return
        click.echo(text, nl=False)
        sys.stdout.flush()
        self._open_line = not text.endswith("\n")

    def _tell(self, text: str) -> None:
        if self._open_line:
            click.echo()
            self._open_line = False
        if text and self._talking:
            self._call.say(text)

    def tick(self) -> None:
        """Do nothing: every line stands as it was written."""

    def close(self) -> None:
        """End the line that is open."""
        self._tell("")
