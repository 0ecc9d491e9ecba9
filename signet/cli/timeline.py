"""A run as a page for people: what it was, what happened when, and how it ended."""

import json
from collections.abc import Iterable, Iterator

import click
from google.protobuf.timestamp_pb2 import Timestamp

from signet.cli.form import word
from signet.cli.table import pairs
from signet.cli.view.phrases import NOTED, arguments, cut, noted
from signet.cli.words import between, cost, count, dim, ident, local, seconds, toned
from signet.v1.events_pb2 import ModelCallFinished, RunEvent, SandboxOpened, ToolCallFinished
from signet.v1.runs_pb2 import Record, Run

_PARTS = ("soul", "tools", "runtime", "model", "permissions")
_TEXT_CHARACTERS = 400
_RESULT_LINES = 4
_OFFSET_WIDTH = 9


def page(record: Record, *, full: bool) -> str:
    """Lay out a record."""
    run = record.run
    parts = [_head(run), _section("asked"), _indented(_clipped(run.input, full=full)), _section("what happened")]
    parts += _timeline(record.events, full=full)
    if run.output:
        parts += [_section("answer"), _indented(run.output)]
    parts += [_section("stamp"), _stamp(run)]
    return "\n".join(parts)


def _head(run: Run) -> str:
    usage = run.usage
    tokens = f"{count(usage.input_tokens)} in, {count(usage.output_tokens)} out"
    cached = f", {count(usage.cached_tokens)} of them cached" if usage.cached_tokens else ""
    estimated = " (estimated)" if usage.estimated else ""
    price = cost(usage.cost_microusd if usage.HasField("cost_microusd") else None)
    took = seconds(between(run.create_time, run.end_time)) if run.HasField("end_time") else "not over"
    reason = f": {run.error.message}" if run.error.message else ""
    return pairs(
        [
            ("run", ident(run.name)),
            ("state", toned(word(run, "state")) + reason),
            ("reason", run.error.reason if run.error.reason != word(run, "state") else ""),
            ("agent", ident(run.agent)),
            ("session", ident(run.session)),
            ("model", ident(run.model)),
            ("worker", ident(run.worker) + (f", attempt {run.attempts}" if run.attempts > 1 else "")),
            ("made", f"{local(run.create_time)}, took {took}"),
            ("tokens", tokens + cached + estimated),
            ("cost", price),
            ("calls", f"{run.model_calls} to the model, {run.tool_calls} of tools"),
        ]
    )


def _stamp(run: Run) -> str:
    rows = [(part, getattr(run.stamp, part)) for part in _PARTS]
    digests = [("digest", click.style(run.stamp.digest, bold=True)), *rows]
    return _indented(pairs([*digests, ("record", run.record_digest or "none before the run is over")]))


def _section(title: str) -> str:
    return f"\n{click.style(title, bold=True)}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


def _clipped(text: str, *, full: bool) -> str:
    if full or len(text) <= _TEXT_CHARACTERS:
        return text
    return f"{text[:_TEXT_CHARACTERS]}{dim(f'… {count(len(text) - _TEXT_CHARACTERS)} characters more: --full')}"


def _timeline(events: Iterable[RunEvent], *, full: bool) -> Iterator[str]:
    start: Timestamp | None = None
    tools: dict[str, str] = {}
    for event in _joined(events):
        start = start or event.time
        if event.HasField("tool_call_started"):
            tools[event.tool_call_started.id] = event.tool_call_started.tool
        said = _said(event, tools, full=full)
        if said:
            offset = dim(f"+{seconds(between(start, event.time))}".rjust(_OFFSET_WIDTH))
            first, *rest = said.splitlines()
            yield f"  {offset}  {first}"
            yield from (" " * (_OFFSET_WIDTH + 4) + line for line in rest)


def _joined(events: Iterable[RunEvent]) -> Iterator[RunEvent]:
    """Join the pieces of a text, so that it is shown once."""
    held: RunEvent | None = None
    for event in events:
        kind = event.WhichOneof("kind")
        if held is not None and kind == held.WhichOneof("kind"):
            piece: str = getattr(event, str(kind)).text
            getattr(held, str(kind)).text += piece
            continue
        if held is not None:
            yield held
            held = None
        if kind in {"text", "reasoning"}:
            held = RunEvent()
            held.CopyFrom(event)
        else:
            yield event
    if held is not None:
        yield held


def _said(event: RunEvent, tools: dict[str, str], *, full: bool) -> str:
    """Say an event; what says nothing to a person is empty."""
    match event.WhichOneof("kind"):
        case "created":
            return f"asked of {ident(event.created.agent)} with {ident(event.created.model)}"
        case "claimed":
            return f"taken by worker {ident(event.claimed.worker)}"
        case "sandbox_opened":
            return _sandbox(event.sandbox_opened)
        case "text" | "reasoning" as kind:
            whole = getattr(event, kind).text.strip()
            text = whole if full else cut(whole)
            return dim(f"reasoning: {text}") if kind == "reasoning" else text
        case "model_call_finished":
            return _model_call(event.model_call_finished)
        case "tool_call_started":
            started = event.tool_call_started
            shown = _whole_arguments(started.arguments) if full else dim(arguments(started.arguments))
            denied = "" if started.verdict in {"", "allow"} else click.style(f"\ndenied: {started.verdict}", fg="red")
            return f"{click.style('●', fg='cyan')} {click.style(started.tool, bold=True)} {shown}{denied}"
        case "tool_call_finished":
            return _tool_result(event.tool_call_finished, tools, full=full)
        case kind if kind in NOTED:
            return noted(event, over=True)
        case "finished":
            return toned(event.finished.outcome)
        case _:
            return ""


def _sandbox(opened: SandboxOpened) -> str:
    layers = opened.isolation.layers
    held = sum(word(layer, "state") == "ENFORCED" for layer in layers)
    warm = "warm " if opened.warm else ""
    return f"{warm}sandbox open in {seconds(opened.open_micros)}, {held} of {len(layers)} layers of isolation enforced"


def _model_call(call: ModelCallFinished) -> str:
    model = call.model.removeprefix("models/")
    if call.error:
        return click.style(f"model call {call.index} to {model} failed: {call.error}", fg="red")
    tokens = f"{count(call.usage.input_tokens)} tokens in, {count(call.usage.output_tokens)} out"
    return dim(f"model call {call.index} to {model}: {seconds(call.duration_micros)}, {tokens}")


def _whole_arguments(text: str) -> str:
    try:
        return json.dumps(json.loads(text or "{}"), ensure_ascii=False, indent=2)
    except ValueError:
        return text


def _tool_result(call: ToolCallFinished, tools: dict[str, str], *, full: bool) -> str:
    mark = click.style("✗", fg="red") if call.is_error else click.style("✓", fg="green")
    lines = call.result.strip().splitlines()
    shown = lines if full else [cut(line) for line in lines[:_RESULT_LINES]]
    if len(lines) > len(shown):
        shown.append(f"… {len(lines) - len(shown)} lines more: --full")
    body = "".join(f"\n{dim('│ ' + line)}" for line in shown)
    return f"{mark} {tools.get(call.id, 'tool')} {dim(seconds(call.duration_micros))}{body}"
