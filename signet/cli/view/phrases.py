"""What is said of a run's events, in a line each."""

import json

import click

from signet.cli.words import cost, count, dim, ident, seconds
from signet.v1.events_pb2 import (
    ApprovalAnswered,
    EgressDecided,
    PolicyLoaded,
    RunEvent,
    RunFinished,
    ToolCallFinished,
    ToolCallStarted,
)
from signet.v1.usage_pb2 import Usage

_ARGUMENT_CHARACTERS = 160
_VERDICTS = {"allow": ("✓", "green"), "audit": ("~", "yellow"), "deny": ("✗", "red")}
_MARKS = {"SUCCEEDED": ("✓", "green"), "FAILED": ("✗", "red"), "CANCELLED": ("■", "yellow")}


NOTED = frozenset(
    {
        "notice", "attempt_lost", "cancel_requested", "egress_decided", "approval_requested", "approval_answered",
        "policy_loaded",
    }
)  # fmt: skip
"""The kinds of events that `noted` says."""


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


def noted(event: RunEvent, *, over: bool = False) -> str:
    """Say what a notice, a lost attempt, a cancel, an approval, a decision on a connection or a new policy tells.

    `over`: it is told afterwards, when nothing can be answered any more.
    """
    if event.HasField("egress_decided"):
        return egress(event.egress_decided)
    if event.HasField("approval_requested"):
        asked = event.approval_requested
        line = click.style(f"? asks to {asked.text}", fg="yellow", bold=True)
        return line if over else f"{line}\n  {dim(f'signet approve {ident(asked.approval)}')}"
    if event.HasField("approval_answered"):
        return _answered(event.approval_answered)
    if event.HasField("policy_loaded"):
        return _loaded(event.policy_loaded)
    if event.HasField("attempt_lost"):
        lost = event.attempt_lost
        then = "what it said is void; the run begins again" if lost.retried else "the run is not tried again"
        return click.style(f"! worker {ident(lost.worker)} was lost: {then}", fg="yellow")
    if event.HasField("cancel_requested"):
        return dim(f"! {event.cancel_requested.caller} asked for a cancel")
    return click.style(f"! {event.notice.message}", fg="yellow")


def egress(decided: EgressDecided) -> str:
    """Say what was decided on a connection, by which rule, and for whom."""
    mark, tone = _VERDICTS.get(decided.verdict, ("✗", "red"))
    host = f"[{decided.host}]" if ":" in decided.host else decided.host
    request = f" {decided.method} {decided.path}" if decided.method else ""
    binary = f"{decided.binary.rpartition('/')[2]} → " if decided.binary else ""
    times = f" ({decided.count} times)" if decided.count > 1 else ""
    line = f"{click.style(mark, fg=tone)} {binary}{host}:{decided.port}{request}{times}"
    if decided.verdict == "allow":
        return dim(f"{line}  {decided.rule}")
    said = "would be denied" if decided.verdict == "audit" else "denied"
    reason = f": {decided.reason}" if decided.reason else ""
    return f"{line}  {click.style(said, fg=tone)} {dim(f'by {decided.rule}{reason}')}"


def refused(event: RunEvent) -> bool:
    """Tell whether an event is a decision that a person who watches wants to see: what passes is only told later."""
    return event.HasField("egress_decided") and event.egress_decided.verdict != "allow"


def _answered(answered: ApprovalAnswered) -> str:
    by = f" by {answered.caller}" if answered.caller else ""
    if answered.answer == "APPROVED":
        return click.style(f"✓ approved{by}", fg="green")
    if answered.answer == "DENIED":
        return click.style(f"✗ denied{by}", fg="red")
    return click.style("✗ nobody answered in time, which is a no", fg="red")


def _loaded(loaded: PolicyLoaded) -> str:
    closed = (
        f"; {loaded.closed} {'connection' if loaded.closed == 1 else 'connections'} closed" if loaded.closed else ""
    )
    return dim(
        f"! what it may do changed: policy {ident(loaded.policy)} version {loaded.version}, and its grants{closed}"
    )


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
