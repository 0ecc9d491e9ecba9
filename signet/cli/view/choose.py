"""Which view shows a run."""

from collections.abc import Collection
from typing import Protocol

from signet.cli.call import Call
from signet.v1.events_pb2 import RunEvent


class View(Protocol):
    """What shows a run."""

    def show(self, event: RunEvent) -> None:
        """Show one event."""

    def close(self) -> None:
        """Leave the terminal tidy."""


def choose(call: Call, *, streaming: bool, lines: Collection[str]) -> View:
    """Choose by what was asked for and where it goes; `lines` are the outputs for which every event is a line."""
    if call.output in lines:
        from signet.cli.view.lines import Lines

        return Lines()
    if call.output == "table" and call.lively and streaming:
        from signet.cli.view.live import Live

        return Live(call)
    from signet.cli.view.plain import Plain

    return Plain(call, streaming=streaming, answer=call.output == "table")
