"""A run as JSON lines, an event each."""

from signet.cli.form import form
from signet.cli.output import line
from signet.v1.events_pb2 import RunEvent


class Lines:
    """Prints every event."""

    def show(self, event: RunEvent) -> None:
        """Print one event."""
        line(form(event))

    def tick(self) -> None:
        """Do nothing: every line is whole."""

    def close(self) -> None:
        """Do nothing: every line is whole."""
