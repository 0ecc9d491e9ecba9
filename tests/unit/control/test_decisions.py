"""Pure decisions of control, as tables: a lost run's fate, sums, orders, bounds, and who may call what."""

import pytest

from control import appends, creation, scopes, tally
from control.leases import Fate, fate
from control.options import Options
from control.orders import NOTHING, Orders
from control.pages import within
from control.tally import Tally
from signet.kit.auth import Caller
from signet.kit.errors import InvalidArgument, PermissionDenied
from signet.v1 import (
    agents_pb2,
    approvals_pb2,
    events_pb2,
    policies_pb2,
    runs_pb2,
    sandboxes_pb2,
    sessions_pb2,
    souls_pb2,
    tokens_pb2,
    usage_pb2,
    workers_pb2,
)
from signet.work.v1 import work_pb2

FILES = (
    agents_pb2, approvals_pb2, policies_pb2, runs_pb2, sandboxes_pb2, sessions_pb2, souls_pb2, tokens_pb2, workers_pb2,
    work_pb2,
)  # fmt: skip


@pytest.mark.parametrize(
    ("cancelled", "tools", "attempts", "expected"),
    [
        (False, 0, 1, Fate.RETRY),
        (False, 1, 1, Fate.FAIL),
        (False, 0, 2, Fate.FAIL),
        (False, 3, 2, Fate.FAIL),
        (True, 0, 1, Fate.CANCEL),
        (True, 5, 2, Fate.CANCEL),
    ],
)
def test_the_fate_of_a_run_whose_worker_was_lost(cancelled: bool, tools: int, attempts: int, expected: Fate) -> None:  # noqa: FBT001 - a table
    assert fate(cancel_requested=cancelled, tool_calls=tools, attempts=attempts, max_attempts=2) is expected


def ended(**usage: int) -> events_pb2.RunEvent:
    made = usage_pb2.Usage(**usage) if usage else None  # type: ignore[arg-type] # a table
    return events_pb2.RunEvent(model_call_finished=events_pb2.ModelCallFinished(usage=made))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], Tally()),
        ([ended()], Tally(model_calls=1)),
        ([ended(cost_microusd=3), ended(cost_microusd=4)], Tally(model_calls=2, usage_calls=2, cost_microusd=7)),
        ([ended(cost_microusd=3), ended(calls=1)], Tally(model_calls=2, usage_calls=2, cost_microusd=None)),
        ([ended(calls=1), ended(cost_microusd=3)], Tally(model_calls=2, usage_calls=2, cost_microusd=None)),
        (
            [ended(input_tokens=5, estimated=1)],
            Tally(1, input_tokens=5, cost_microusd=None, usage_calls=1, estimated=True),
        ),
        ([events_pb2.RunEvent(tool_call_started={"id": "1"})] * 3, Tally(tool_calls=3)),
        ([events_pb2.RunEvent(cancel_requested={})], Tally(cancel_noted=True)),
        ([events_pb2.RunEvent(text={"text": "x"})], Tally()),
    ],
)
def test_sums_of_events(events: list[events_pb2.RunEvent], expected: Tally) -> None:
    assert tally.of(events) == expected


def ordered(*runs: str, drain: bool = False) -> Orders:
    return Orders(drain, {f"cancel {run}": work_pb2.Directive(cancel_run=f"runs/{run}") for run in runs})


def test_a_worker_is_told_each_order_once() -> None:
    told = ordered("a")
    assert told.beyond(told) == []
    now = ordered("a", "b", drain=True)
    assert now.beyond(told) == [work_pb2.Directive(cancel_run="runs/b"), work_pb2.Directive(drain=True)]
    assert NOTHING.beyond(now) == [work_pb2.Directive(drain=False)]
    assert now.all() == [work_pb2.Directive(drain=True), *now.directives.values()]


@pytest.mark.parametrize(("sizes", "kept"), [([], 0), ([9_000_000], 1), ([1_000_000] * 5, 3), ([4_000_000, 1], 1)])
def test_a_page_is_what_one_message_can_carry(sizes: list[int], kept: int) -> None:
    rows = [runs_pb2.Run(output="x" * (size - 5)) for size in sizes]
    assert within(rows) == rows[:kept]


def test_every_method_names_its_scopes_and_there_are_no_others() -> None:
    methods = {
        f"/{service.full_name}/{method.name}"
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert methods == {*scopes.SCOPES, scopes.OPEN}


def test_what_is_not_named_nobody_may() -> None:
    for scope in ("OPERATOR", "VIEWER", "WORKER", "UNSPECIFIED", ""):
        with pytest.raises(PermissionDenied):
            scopes.permit("/signet.v1.RunService/DropEverything", Caller("tokens/x", scope))
    with pytest.raises(PermissionDenied, match="tokens/x"):
        scopes.permit("/signet.v1.RunService/GetRun", Caller("tokens/x", "UNSPECIFIED"))


def test_no_worker_or_viewer_may_change_what_people_keep() -> None:
    for method, allowed in scopes.SCOPES.items():
        work = method.startswith("/signet.work.")
        assert (scopes.WORKER in allowed) == work
        assert scopes.OPERATOR in allowed
        reads = method.rpartition("/")[2].startswith(("Get", "List", "Watch", "Check"))
        if scopes.VIEWER in allowed:
            assert reads


def test_options_out_of_range_are_all_named() -> None:
    with pytest.raises(ValueError, match=r"port.*lease_seconds.*history_bytes"):
        Options(port=-1, lease_seconds=0, history_bytes=-5)


@pytest.mark.parametrize("size", [1, 1024 * 1024])
def test_an_input_at_its_bounds_is_taken(size: int) -> None:
    assert creation.check(runs_pb2.CreateRunRequest(agent="agents/a", input="x" * size)).agent == "a"


def test_the_same_request_has_the_same_hash_and_another_has_not() -> None:
    base = runs_pb2.CreateRunRequest(agent="agents/a", input="x", request_id="r")
    again = runs_pb2.CreateRunRequest.FromString(base.SerializeToString())
    assert creation.check(base).hash == creation.check(again).hash
    for field in ("input", "model", "session"):
        other = runs_pb2.CreateRunRequest()
        other.CopyFrom(base)
        setattr(other, field, {"input": "y", "model": "models/m", "session": "sessions/s"}[field])
        assert creation.check(other).hash != creation.check(base).hash


def test_a_checked_batch_names_run_and_generation_in_each_event() -> None:
    event = events_pb2.RunEvent(sequence=3, text={"text": "x"})
    event.time.GetCurrentTime()
    batch = appends.check("1", 7, [event])
    assert (batch.events[0].run, batch.events[0].generation) == ("runs/1", 7)
    with pytest.raises(InvalidArgument):
        appends.check("2", 7, [event])
