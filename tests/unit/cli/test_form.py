"""The JSON form is stable: every field is there, in the proto's names, and says what it says in plain values."""

import json

from google.protobuf.timestamp_pb2 import Timestamp

from signet.cli.form import form, word
from signet.cli.shape import run_shape
from signet.v1 import events_pb2, models_pb2, providers_pb2, runs_pb2, usage_pb2


def test_every_field_is_there_even_where_nothing_is_set() -> None:
    for kind in (runs_pb2.Run, runs_pb2.Record, models_pb2.Model, providers_pb2.Provider, usage_pb2.UsageRow):
        assert list(form(kind())) == [field.name for field in kind.DESCRIPTOR.fields]


def test_an_empty_run_has_the_golden_shape() -> None:
    assert form(runs_pb2.Run(name="runs/1", state=runs_pb2.RUN_STATE_SUCCEEDED)) == {
        "name": "runs/1", "agent": "", "session": "", "input": "", "state": "SUCCEEDED", "output": "", "error": None,
        "stamp": None, "usage": None, "create_time": None, "start_time": None, "end_time": None, "worker": "",
        "attempts": 0, "record_digest": "", "last_sequence": 0, "model": "", "model_calls": 0, "tool_calls": 0,
        "cancel_requested": False,
    }  # fmt: skip


def test_whole_numbers_are_numbers_and_times_are_utc_text() -> None:
    event = events_pb2.RunEvent(run="runs/1", sequence=2**40, time=Timestamp(seconds=1, nanos=500_000_000))

    assert form(event) == {
        "run": "runs/1", "sequence": 2**40, "time": "1970-01-01T00:00:01.500Z", "generation": 0
    }  # fmt: skip


def test_only_the_kind_that_an_event_is_stands_there() -> None:
    event = events_pb2.RunEvent(text=events_pb2.TextDelta(text="hi"))

    assert form(event)["text"] == {"text": "hi"}
    assert not {"created", "reasoning", "finished"} & set(form(event))


def test_unknown_is_null_and_zero_is_zero() -> None:
    assert form(usage_pb2.Usage())["cost_microusd"] is None
    assert form(usage_pb2.Usage(cost_microusd=0))["cost_microusd"] == 0


def test_enum_values_stand_without_their_prefix() -> None:
    model = models_pb2.Model(state=models_pb2.MODEL_STATE_READY)
    model.profile.tool_choice = models_pb2.TOOL_CHOICE_EMBEDDING

    assert word(model, "state") == "READY"
    assert form(model)["profile"]["tool_choice"] == "EMBEDDING"
    assert form(models_pb2.Model())["state"] == ""
    assert form(models_pb2.Model(state=99))["state"] == "99"  # type: ignore[arg-type] # of a newer service


def test_maps_and_bytes_have_a_form() -> None:
    record = runs_pb2.Record(stamp_sources={"soul": "s", "model": "m"})

    assert form(record)["stamp_sources"] == {"model": "m", "soul": "s"}
    assert form(runs_pb2.GetBlobResponse(chunk=b"\xff")) == {"chunk": "/w=="}


def test_a_run_is_shown_with_its_record() -> None:
    run = runs_pb2.Run(name="runs/1", tool_calls=1)
    record = runs_pb2.Record(run=run, digest="d", tool_calls=[runs_pb2.ToolCall(id="1", tool="exec")])

    shape = run_shape(run, record)

    assert shape["tool_calls"] == 1
    assert set(shape["record"]) == {"digest", "exchanges", "tool_calls", "stamp_sources"}
    assert shape["record"]["tool_calls"][0]["tool"] == "exec"
    json.dumps(shape)
