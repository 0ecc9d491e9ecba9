"""A run as a waterfall: what took how long, one row per thing that was done, on one scale."""

from dataclasses import dataclass

from signet.kit.times import micros
from signet.v1 import runs_pb2
from web.parts import summarize

_SCALE = 1000


@dataclass(frozen=True)
class Row:
    """One bar. `left` and `width` are thousandths of the run; `kind` is `wait`, `sandbox`, `model` or `tool`."""

    kind: str
    label: str
    detail: str
    left: int
    width: int
    duration: int
    failed: bool


def rows(record: runs_pb2.Record) -> list[Row]:
    """Give the rows of a record, by when they began."""
    begin = micros(record.run.create_time)
    end = max([begin + 1, *(micros(event.time) for event in record.events), micros(record.run.end_time)])
    bars = [*_waits(record, begin), *_models(record), *_tools(record)]
    span = end - begin
    return [
        Row(kind, label, detail, *_place(start - begin, length, span), length, failed)
        for start, length, kind, label, detail, failed in sorted(bars, key=lambda bar: (bar[0], bar[2]))
    ]


_Bar = tuple[int, int, str, str, str, bool]


def _waits(record: runs_pb2.Record, begin: int) -> list[_Bar]:
    bars: list[_Bar] = []
    since = begin
    for event in record.events:
        time = micros(event.time)
        if event.HasField("claimed"):
            bars.append((since, max(time - since, 0), "wait", "Waiting", event.claimed.worker.partition("/")[2], False))
            since = time
        elif event.HasField("sandbox_opened"):
            opened = event.sandbox_opened
            start = max(time - opened.open_micros, since)
            label = "Warm sandbox" if opened.warm else "Sandbox"
            bars.append((start, opened.open_micros, "sandbox", label, f"{len(opened.isolation.layers)} layers", False))
        elif event.HasField("attempt_lost"):
            since = time
    return bars


def _models(record: runs_pb2.Record) -> list[_Bar]:
    bars: list[_Bar] = []
    for one in record.exchanges:
        counted = f"{one.usage.input_tokens} in, {one.usage.output_tokens} out"
        name = one.model.removeprefix("models/")
        detail = f"{name} · {one.error or counted}"
        label = "Embedding" if one.path.endswith("/embeddings") else "Model"
        bars.append((micros(one.start_time), one.duration_micros, "model", label, detail, bool(one.error)))
    return bars


def _tools(record: runs_pb2.Record) -> list[_Bar]:
    return [
        (micros(one.start_time), one.duration_micros, "tool", one.tool, summarize(one.arguments), one.is_error)
        for one in record.tool_calls
    ]


def _place(start: int, length: int, span: int) -> tuple[int, int]:
    """Give left and width on the scale, inside it and never too thin to see: clocks of two hosts may differ."""
    left = min(max(start * _SCALE // span, 0), _SCALE - 4)
    return left, min(max(length * _SCALE // span, 4), _SCALE - left)
