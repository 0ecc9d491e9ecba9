"""The shape in which a run is printed as JSON: its fields, and what its record holds beside the events."""

from typing import Any

from signet.cli.form import form
from signet.v1.runs_pb2 import Record, Run


def run_shape(run: Run, record: Record) -> dict[str, Any]:
    """Give a run with `record`: its `digest`, `exchanges`, `tool_calls` and `stamp_sources`."""
    whole = form(record)
    kept = ("digest", "exchanges", "tool_calls", "stamp_sources")
    return {**form(run), "record": {name: whole[name] for name in kept}}
