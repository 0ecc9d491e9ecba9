"""The record and its digest: pure, complete, and the same for whoever takes it."""

import hashlib
import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from control import canonical, record, stamp
from control.stamp import PARTS, Sources
from signet.v1 import events_pb2, runs_pb2, usage_pb2
from tests.unit.control.messages import messages


def plain(message: Message) -> str:
    """Write a message with protobuf's own JSON."""
    found = MessageToDict(message, preserving_proto_field_name=True)
    return json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@settings(max_examples=60, deadline=None)
@given(messages(events_pb2.RunEvent))
def test_our_quick_writer_writes_events_as_protobuf_s_own_does(event: events_pb2.RunEvent) -> None:
    assert canonical.text(canonical.of(event)) == plain(event)


@settings(max_examples=25, deadline=None)
@given(messages(runs_pb2.Run), st.lists(messages(events_pb2.RunEvent), min_size=1, max_size=5), st.text())
def test_the_digest_is_of_the_canonical_json_without_the_digests(
    run: runs_pb2.Run, events: list[events_pb2.RunEvent], source: str
) -> None:
    made = record.build(run, events, {"soul": source})
    bare = runs_pb2.Record()
    bare.CopyFrom(made)
    bare.ClearField("digest")
    bare.run.ClearField("record_digest")
    assert record.seal(made) == hashlib.sha256(plain(bare).encode()).hexdigest()
    assert list(made.events) == events


@settings(max_examples=25, deadline=None)
@given(st.lists(messages(events_pb2.RunEvent), min_size=2, max_size=4), st.data())
def test_any_change_of_any_event_changes_the_digest(events: list[events_pb2.RunEvent], data: st.DataObject) -> None:
    run = runs_pb2.Run(name="runs/1")
    before = record.seal(record.build(run, events, {}))
    index = data.draw(st.integers(0, len(events) - 1))
    other = data.draw(messages(events_pb2.RunEvent))
    changed = [*events[:index], other, *events[index + 1 :]]
    assert (record.seal(record.build(run, changed, {})) == before) == (other == events[index])
    assert record.seal(record.build(run, events[:-1], {})) != before


def call(kind: str, ident: str, **fields: Any) -> events_pb2.RunEvent:
    if kind == "started":
        return events_pb2.RunEvent(tool_call_started=events_pb2.ToolCallStarted(id=ident, **fields))
    return events_pb2.RunEvent(tool_call_finished=events_pb2.ToolCallFinished(id=ident, **fields))


def test_calls_are_in_the_order_of_their_start_and_an_id_may_be_used_again() -> None:
    events = [
        call("started", "a", tool="exec"),
        call("started", "b", tool="read_file"),
        call("finished", "b", result="second"),
        call("finished", "a", result="first"),
        call("started", "a", tool="list_files"),
        call("finished", "a", result="third", is_error=True),
        call("started", "c", tool="exec"),
    ]
    made = record.build(runs_pb2.Run(), events, {})
    assert [(found.tool, found.result) for found in made.tool_calls] == [
        ("exec", "first"), ("read_file", "second"), ("list_files", "third"), ("exec", ""),
    ]  # fmt: skip


def test_exchanges_of_a_lost_attempt_stay_beside_those_of_the_next() -> None:
    def ended(index: int, status: int) -> events_pb2.RunEvent:
        usage = usage_pb2.Usage(input_tokens=index)
        finished = events_pb2.ModelCallFinished(index=index, status=status, usage=usage, duration_micros=5)
        event = events_pb2.RunEvent(model_call_finished=finished)
        event.time.FromMicroseconds(1_000_000)
        return event

    def begun(index: int) -> events_pb2.RunEvent:
        return events_pb2.RunEvent(model_call_started=events_pb2.ModelCallStarted(index=index))

    lost = events_pb2.RunEvent(attempt_lost=events_pb2.AttemptLost(attempt=1))
    events = [begun(1), ended(1, 200), begun(2), lost, begun(1), ended(1, 201), ended(2, 202)]
    made = record.build(runs_pb2.Run(), events, {})
    assert [(found.index, found.status) for found in made.exchanges] == [(1, 200), (2, 202), (1, 201)]


def test_each_of_the_five_changes_its_own_digest_and_the_stamp() -> None:
    first = Sources(soul="s", tools="t", runtime="r", model="m", permissions="p")
    before = stamp.take(first)
    for part in PARTS:
        after = stamp.take(Sources(**(vars(first) | {part: "other"})))
        changed = {name for name in ("digest", *PARTS) if getattr(after, name) != getattr(before, name)}
        assert changed == {"digest", part}


def test_two_parts_that_change_places_are_another_stamp() -> None:
    one = Sources(soul="x", tools="y", runtime="r", model="m", permissions="p")
    other = Sources(soul="y", tools="x", runtime="r", model="m", permissions="p")
    assert stamp.take(one).digest != stamp.take(other).digest
