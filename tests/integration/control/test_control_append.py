"""AppendEvents and FinishRun: in order, each once, bounded, and a record that anybody can check."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from signet.kit.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted
from signet.kit.times import now_micros, stamp
from signet.v1 import events_pb2, runs_pb2, sessions_pb2, usage_pb2
from signet.work.v1 import work_pb2
from tests.integration.control.fleet import Fleet, event, refused, running, texts

PARTS = ("soul", "tools", "runtime", "model", "permissions")


def recomputed(record: runs_pb2.Record) -> str:
    """Take a record's digest with nothing of ours: protobuf's own JSON, keys sorted, no spaces, UTF-8."""
    plain = MessageToDict(record, preserving_proto_field_name=True)
    del plain["digest"], plain["run"]["record_digest"]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


async def record_of(fleet: Fleet, run: str) -> runs_pb2.Record:
    answer = await fleet.operator.runs.GetRecord(runs_pb2.GetRecordRequest(name=run))
    record: runs_pb2.Record = answer.record
    return record


def model_call(sequence: int, index: int, **usage: Any) -> list[events_pb2.RunEvent]:
    ended = events_pb2.ModelCallFinished(
        index=index, path="/v1/chat/completions", model="models/fake/chat", provider="fake", status=200,
        request_digest="a" * 64, response_digest="b" * 64, duration_micros=2500,
        usage=usage_pb2.Usage(**usage, calls=1),
    )  # fmt: skip
    begun = events_pb2.ModelCallStarted(index=index, path="/v1/chat/completions", model="models/fake/chat")
    return [event(sequence, model_call_started=begun), event(sequence + 1, model_call_finished=ended)]


async def test_events_sent_again_are_passed_over_and_the_rest_is_kept(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    first = claim.next_sequence
    assert await fleet.append(claim.lease, texts(first, 5)) == first + 4
    assert await fleet.append(claim.lease, texts(first, 5)) == first + 4
    assert await fleet.append(claim.lease, texts(first + 3, 5)) == first + 7
    events = await fleet.events(claim.run.name, replay_only=True)
    assert [found.sequence for found in events] == list(range(1, first + 8))


async def test_a_gap_is_refused_and_says_where_to_go_on(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    error = await refused(fleet.append(claim.lease, texts(claim.next_sequence + 1, 2)))
    assert isinstance(error, FailedPrecondition)
    assert error.reason == "SEQUENCE_GAP"
    assert f"from {claim.next_sequence}" in error.hint
    assert (await fleet.get(claim.run.name)).last_sequence == claim.next_sequence - 1


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (lambda events: events.reverse(), "events[1].sequence"),
        (lambda events: events[1].ClearField("text"), "events[1].kind"),
        (lambda events: events[1].ClearField("time"), "events[1].time"),
        (lambda events: events[0].finished.CopyFrom(events_pb2.RunFinished()), "events[0].kind"),
        (lambda events: events[0].created.CopyFrom(events_pb2.RunCreated()), "events[0].kind"),
        (lambda events: setattr(events[0], "run", "runs/other"), "events[0].run"),
        (lambda events: setattr(events[2].time, "seconds", 1 << 60), "events[2].time"),
        (lambda events: setattr(events[2].time, "nanos", -1), "events[2].time"),
        (
            lambda events: events[0].model_call_finished.usage.MergeFrom(usage_pb2.Usage(input_tokens=1 << 62)),
            "events[0].model_call_finished.usage",
        ),
        (lambda events: setattr(events[0], "generation", 7), "events[0].generation"),
    ],
)
async def test_a_malformed_batch_is_refused_whole(fleet: Fleet, spoil: object, field: str) -> None:
    await fleet.register()
    claim = await fleet.taken()
    events = texts(claim.next_sequence, 3)
    assert callable(spoil)
    spoil(events)
    error = await refused(fleet.append(claim.lease, events))
    assert isinstance(error, InvalidArgument)
    assert field in {violation.field for violation in error.violations}
    assert (await fleet.get(claim.run.name)).last_sequence == claim.next_sequence - 1


async def test_batches_have_bounds(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    many = await refused(fleet.append(claim.lease, texts(claim.next_sequence, 513)))
    assert "512" in many.message
    large = [event(claim.next_sequence, text=events_pb2.TextDelta(text="x" * 3_200_000))]
    assert "bytes" in (await refused(fleet.append(claim.lease, large))).message


async def test_a_run_that_floods_is_stopped_at_its_bound_and_can_still_be_finished(tmp_path: Path) -> None:
    async with running(tmp_path, max_run_events=100) as fleet:
        await fleet.register()
        claim = await fleet.taken()
        await fleet.append(claim.lease, texts(claim.next_sequence, 90))
        error = await refused(fleet.append(claim.lease, texts(claim.next_sequence + 90, 20)))
        assert isinstance(error, ResourceExhausted)
        assert error.reason == "LIMIT_REACHED"
        run = await fleet.finish(
            claim.lease,
            outcome=runs_pb2.RUN_STATE_FAILED,
            error=runs_pb2.RunError(reason="RUNTIME_FLOODED", message="too much"),
        )
        assert run.last_sequence == claim.next_sequence + 90


async def test_finishing_twice_is_the_same_as_once(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    events = texts(claim.next_sequence, 2)
    first = await fleet.finish(claim.lease, events=events)
    again = await fleet.finish(claim.lease, events=events)
    assert again == first
    assert [found.WhichOneof("kind") for found in await fleet.events(first.name)].count("finished") == 1
    error = await refused(fleet.append(claim.lease, texts(first.last_sequence + 1, 1)))
    assert error.reason == "LEASE_LOST"


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"outcome": runs_pb2.RUN_STATE_RUNNING}, "outcome"),
        ({"outcome": runs_pb2.RUN_STATE_FAILED}, "error.reason"),
        ({"error": runs_pb2.RunError(reason="INTERNAL")}, "error"),
        ({"messages": "{}"}, "messages"),
        ({"messages": "[1]"}, "messages"),
        ({"messages": "[" * 5000}, "messages"),
        ({"output": "x" * 1_100_000}, "output"),
    ],
)
async def test_a_bad_ending_is_refused_and_the_run_goes_on(fleet: Fleet, fields: dict[str, object], bad: str) -> None:
    await fleet.register()
    claim = await fleet.taken()
    error = await refused(fleet.finish(claim.lease, **fields))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [bad]
    assert (await fleet.finish(claim.lease)).state == runs_pb2.RUN_STATE_SUCCEEDED


async def test_figures_are_summed_from_events_and_an_unknown_cost_stays_unknown(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    first = claim.next_sequence
    await fleet.append(claim.lease, model_call(first, 1, input_tokens=10, output_tokens=5, cost_microusd=7))
    run = await fleet.get(claim.run.name)
    assert (run.model_calls, run.usage.input_tokens, run.usage.cost_microusd, run.usage.calls) == (1, 10, 7, 1)
    await fleet.append(claim.lease, model_call(first + 2, 2, input_tokens=1, output_tokens=2))
    tool = events_pb2.ToolCallStarted(id="1", tool="exec", arguments="{}", verdict="allow")
    await fleet.append(claim.lease, [event(first + 4, tool_call_started=tool)])
    run = await fleet.finish(claim.lease)
    assert (run.model_calls, run.tool_calls, run.usage.input_tokens, run.usage.output_tokens) == (2, 1, 11, 7)
    assert not run.usage.HasField("cost_microusd")
    finished = (await fleet.events(run.name))[-1].finished
    assert finished.usage == run.usage
    assert finished.outcome == "SUCCEEDED"


async def test_the_record_has_everything_and_anybody_can_take_its_digest(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken("Zähle 😀\u2028 auf")
    first = claim.next_sequence
    started = events_pb2.ToolCallStarted(id="c", tool="exec", arguments='{"command":"ls"}', verdict="allow")
    ended = events_pb2.ToolCallFinished(id="c", result="notes.txt", duration_micros=900)
    await fleet.append(
        claim.lease,
        [
            *model_call(first, 1, input_tokens=2**40, output_tokens=5, cost_microusd=0),
            event(first + 2, tool_call_started=started),
            event(first + 3, tool_call_finished=ended),
            events_pb2.RunEvent(
                sequence=first + 4, time=stamp(now_micros() // 1_000_000 * 1_000_000), text={"text": "\u0000\x7f"}
            ),
        ],
    )
    before = await record_of(fleet, claim.run.name)
    assert before.digest == ""
    run = await fleet.finish(claim.lease, output="Eins, zwei.")
    record = await record_of(fleet, run.name)
    assert record.run == run
    assert record.digest == run.record_digest == recomputed(record)
    assert [(call.tool, call.result, call.verdict) for call in record.tool_calls] == [("exec", "notes.txt", "allow")]
    assert [exchange.request_digest for exchange in record.exchanges] == ["a" * 64]
    assert record.exchanges[0].HasField("start_time")


async def test_the_stamp_s_five_digests_are_of_the_texts_in_the_record(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    run = await fleet.finish(claim.lease)
    record = await record_of(fleet, run.name)
    digests = [hashlib.sha256(record.stamp_sources[part].encode()).hexdigest() for part in PARTS]
    assert digests == [getattr(run.stamp, part) for part in PARTS]
    assert run.stamp.digest == hashlib.sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()


async def test_the_next_run_of_a_session_is_given_the_messages_of_the_earlier_ones(tmp_path: Path) -> None:
    async with running(tmp_path, history_bytes=400) as fleet:
        await fleet.register()
        made = sessions_pb2.CreateSessionRequest(session=sessions_pb2.Session(agent="agents/assistant"))
        session = (await fleet.operator.sessions.CreateSession(made)).session.name

        async def turn(text: str, **ending: object) -> list[dict[str, str]]:
            claim = await fleet.taken(text, session=session)
            messages = [{"role": "user", "content": text}, {"role": "assistant", "content": f"to {text}"}]
            await fleet.finish(claim.lease, **({"messages": json.dumps(messages)} | ending))
            found: list[dict[str, str]] = json.loads(claim.history)
            return found

        assert await turn("one") == []
        failed = {"outcome": runs_pb2.RUN_STATE_FAILED, "error": runs_pb2.RunError(reason="INTERNAL", message="x")}
        assert [message["content"] for message in await turn("two", **failed)] == ["one", "to one"]
        assert [message["content"] for message in await turn("three")] == ["one", "to one"]
        assert [message["content"] for message in await turn("four")] == ["one", "to one", "three", "to three"]
        for text in ("five", "six", "seven", "eight"):
            history = await turn(text)
        contents = [message["content"] for message in history]
        assert contents[-2:] == ["seven", "to seven"]
        assert "one" not in contents  # left out whole: there is a bound in bytes
        assert contents[0] in {"four", "five", "six"}


async def test_a_body_is_kept_whole_under_its_digest_once(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    body = bytes(range(256)) * 3000
    digest = hashlib.sha256(body).hexdigest()

    async def sent(body: bytes, digest: str) -> AsyncIterator[work_pb2.PutBlobRequest]:
        for start in range(0, len(body), 256 * 1024):
            chunk = body[start : start + 256 * 1024]
            yield work_pb2.PutBlobRequest(digest=digest, chunk=chunk, lease=claim.lease)

    for _ in range(2):
        await fleet.worker.work.PutBlob(sent(body, digest))
    got = fleet.operator.runs.GetBlob(runs_pb2.GetBlobRequest(digest=digest))
    chunks = [answer.chunk async for answer in got]
    assert b"".join(chunks) == body
    assert max(map(len, chunks)) <= 256 * 1024
    wrong = await refused(fleet.worker.work.PutBlob(sent(body, "0" * 64)))
    assert isinstance(wrong, InvalidArgument)
    absent = await refused(fleet.operator.runs.GetBlob(runs_pb2.GetBlobRequest(digest="0" * 64)))
    assert isinstance(absent, NotFound)
    assert absent.reason == "BLOB_NOT_FOUND"
    climbing = await refused(fleet.operator.runs.GetBlob(runs_pb2.GetBlobRequest(digest="../../control.db")))
    assert isinstance(climbing, InvalidArgument)
    assert not list((fleet.home.control / "blobs" / "drafts").iterdir())
