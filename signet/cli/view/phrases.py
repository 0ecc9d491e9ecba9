"""What is said of a run's events, in a line each."""

import json

import click

from signet.cli.words import cost, count, dim, ident, seconds
from signet.v1.events_pb2 import RunEvent, RunFinished, ToolCallFinished, ToolCallStarted
from signet.v1.usage_pb2 import Usage

_ARGUMENT_CHARACTERS = 160
_MARKS = {"SUCCEEDED": ("✓", "green"), "FAILED": ("✗", "red"), "CANCELLED": ("■", "yellow")}


def arguments(text: str) -> str:
    """Give a tool's arguments in short: `command="ls -la" seconds=5`; what is no JSON object as it is, cut."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return cut(text)
    return cut(" ".join(f"{key}={json.dumps(item, ensure_ascii=False)}" for key, item in value.items()))


def cut(text: str, limit: int = _ARGUMENT_CHARACTERS) -> str:
    """Give a text in one line of at most `limit` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def tool_started(call: ToolCallStarted) -> str:
    """Say that a tool call began, or why the gate did not let it."""
    line = f"{click.style('●', fg='cyan')} {click.style(call.tool, bold=True)} {dim(arguments(call.arguments))}"
    denied = "" if call.verdict in {"", "allow"} else click.style(f"  denied: {call.verdict}", fg="red")
    return line + denied


def tool_ended(call: ToolCallFinished, tool: str) -> str:
    """Say how a tool call ended."""
    mark = click.style("✗", fg="red") if call.is_error else click.style("✓", fg="green")
    result = dim(cut(call.result, 100)) if call.is_error else dim(first_lines(call.result))
    return f"{mark} {tool} {dim(seconds(call.duration_micros))}  {result}"


def first_lines(text: str) -> str:
    """Give a result's first line and how many more there are."""
    lines = text.strip().splitlines()
    if not lines:
        return "no output"
    hidden = len(lines) - 1
    more = f"  (and {hidden} {'line' if hidden == 1 else 'lines'} more)" if hidden else ""
    return cut(lines[0], 80) + more


def noted(event: RunEvent) -> str:
    """Say what a notice, a lost attempt or a cancel tells."""
    if event.HasField("attempt_lost"):
        lost = event.attempt_lost
        then = "what it said is void; the run begins again" if lost.retried else "the run is not tried again"
        return click.style(f"! worker {ident(lost.worker)} was lost: {then}", fg="yellow")
    if event.HasField("cancel_requested"):
        return dim(f"! {event.cancel_requested.caller} asked for a cancel")
    return click.style(f"! {event.notice.message}", fg="yellow")


def ended(event: RunEvent) -> str:
    """Say how a run ended, what it used, and where to look further."""
    finished = event.finished
    mark, tone = _MARKS.get(finished.outcome, ("?", "white"))
    facts = " · ".join([*used(finished.usage), f"signet runs show {ident(event.run)}"])
    line = f"{click.style(mark, fg=tone)} {dim(facts)}"
    if finished.outcome == "SUCCEEDED":
        return line
    return f"{click.style(failed(finished), fg=tone)}\n{line}"


def failed(finished: RunFinished) -> str:
    """Say why a run did not succeed."""
    said = finished.message or "no reason was given"
    reason = f" ({finished.reason})" if finished.reason not in {"", finished.outcome} else ""
    return f"{finished.outcome.lower()}: {said}{reason}"


def used(usage: Usage) -> list[str]:
    """Give what a run used, in a few words each."""
    estimated = "about " if usage.estimated else ""
    tokens = f"{estimated}{count(usage.input_tokens)} tokens in, {count(usage.output_tokens)} out"
    facts = [tokens] if usage.calls or usage.input_tokens else []
    if usage.HasField("cost_microusd"):
        facts.append(cost(usage.cost_microusd))
    return facts
