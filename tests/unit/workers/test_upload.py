"""The one writer of a run, against a served control."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from signet.kit import dial
from signet.kit.errors import InvalidArgument, Unavailable
from signet.v1 import events_pb2, runs_pb2
from signet.work.v1 import work_pb2
from tests.fakes.work import TOKEN, Work, assignment, serving
from workers import upload
from workers.clock import now
from workers.control import Control, LeaseLost
from workers.lease import Held
from workers.upload import Body, Ending, Rejected, Uploader

DONE = Ending(runs_pb2.RUN_STATE_SUCCEEDED, output="done")


@dataclass
class Desk:
    """A run that was claimed, and its writer."""

    work: Work
    run: str
    held: Held
    uploader: Uploader

    def say(self, text: str) -> None:
        self.uploader.add(text=events_pb2.TextDelta(text=text))

    async def finish(self) -> None:
        await self.uploader.finish(DONE)

    def stored(self) -> list[tuple[str, str]]:
        return [
            (str(event.WhichOneof("kind")), getattr(event, str(event.WhichOneof("kind"))).text)
            for event in self.work.events[self.run]
        ]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    work = Work()
    async with serving(work, tmp_path / "s") as target, dial.channel(target, TOKEN) as channel:
        control = Control(channel, "workers/w")
        await control.register(work_pb2.RegisterWorkerRequest(capacity=1))
        run = await work.offer(assignment(""))
        claimed = await control.claim(1)
        assert claimed
        held = Held(run, 1, now() + 10)
        uploader = Uploader(control, held, claimed.next_sequence)
        yield Desk(work, run, held, uploader)
        await uploader.aclose()


@asynccontextmanager
async def writing(desk: Desk) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(desk.uploader.run())
    yield task
    desk.uploader.close()
    await asyncio.wait([task])


async def test_text_that_waits_side_by_side_becomes_one_event_and_keeps_its_order(desk: Desk) -> None:
    desk.say("a")
    desk.say("b")
    desk.uploader.add(reasoning=events_pb2.TextDelta(text="c"))
    desk.say("d")
    desk.uploader.add(tool_output=events_pb2.ToolOutput(id="1", text="e"))
    desk.uploader.add(tool_output=events_pb2.ToolOutput(id="2", text="f"))
    desk.uploader.add(tool_output=events_pb2.ToolOutput(id="2", text="g"))
    await desk.finish()
    assert desk.stored() == [
        ("text", "ab"),
        ("reasoning", "c"),
        ("text", "d"),
        ("tool_output", "e"),
        ("tool_output", "fg"),
    ]
    assert [event.sequence for event in desk.work.events[desk.run]] == [3, 4, 5, 6, 7]


async def test_nothing_is_merged_into_what_is_sent_already(desk: Desk) -> None:
    await desk.work.hang("AppendEvents")
    async with writing(desk):
        desk.say("a")
        await desk.work.until(lambda: "AppendEvents" in desk.work.calls)
        desk.say("b")
        await desk.work.hang()
        await desk.uploader.commit()
    assert desk.stored() == [("text", "a"), ("text", "b")]


async def test_deltas_gather_while_one_append_is_under_way(desk: Desk) -> None:
    await desk.work.hang("AppendEvents")
    async with writing(desk):
        desk.say("x")
        await desk.work.until(lambda: "AppendEvents" in desk.work.calls)
        for _ in range(199):
            desk.say("x")
            await asyncio.sleep(0.001)
        await desk.work.hang()
        await desk.uploader.commit()
    assert desk.stored() == [("text", "x"), ("text", "x" * 199)]
    assert desk.work.calls.count("AppendEvents") == 2


async def test_commit_returns_only_when_all_is_stored(desk: Desk) -> None:
    async with writing(desk):
        for number in range(1200):
            desk.uploader.add(notice=events_pb2.Notice(code=str(number)))
        await desk.uploader.commit()
        assert len(desk.work.events[desk.run]) == 1200
    assert desk.work.calls.count("AppendEvents") == 3


async def test_many_large_events_are_sent_in_requests_that_control_takes(desk: Desk) -> None:
    for number in range(30):
        desk.uploader.add(tool_output=events_pb2.ToolOutput(id=str(number), text="x" * 1_000_000))
    await desk.finish()
    assert len(desk.work.events[desk.run]) == 30


async def test_an_event_is_stored_after_the_bodies_it_names(desk: Desk) -> None:
    request, response = Body.of(b"asked" * 100_000), Body.of(b"")
    desk.uploader.add([request], model_call_started=events_pb2.ModelCallStarted(index=1))
    finished = events_pb2.ModelCallFinished(request_digest=request.digest, response_digest=response.digest)
    desk.uploader.add([response], model_call_finished=finished)
    async with writing(desk):
        await desk.uploader.commit()  # the fake refuses an event whose body it has not
    assert desk.work.blobs == {request.digest: request.data, response.digest: b""}


async def test_whoever_adds_waits_while_the_buffer_is_full_bodies_included(desk: Desk) -> None:
    await desk.work.hang("AppendEvents", "PutBlob")
    desk.uploader.add([Body.of(b"x" * (upload.BUFFER_BYTES + 1))], notice=events_pb2.Notice(code="big"))
    await asyncio.sleep(0)
    assert not desk.uploader.roomy
    async with writing(desk):
        waiting = asyncio.create_task(desk.uploader.room())
        await desk.work.until(lambda: "PutBlob" in desk.work.calls)
        assert not waiting.done()
        await desk.work.hang()
        await waiting


async def test_a_lost_lease_ends_the_writer_and_whoever_waits_for_it(desk: Desk) -> None:
    await desk.work.hang("AppendEvents")
    async with writing(desk) as writer:
        desk.say("a")
        waiting = asyncio.create_task(desk.uploader.commit())
        await desk.work.until(lambda: "AppendEvents" in desk.work.calls)
        del desk.work.leases[desk.run]
        await desk.work.hang()
        with pytest.raises(LeaseLost):
            await waiting
        with pytest.raises(LeaseLost):
            await writer
        with pytest.raises(LeaseLost):
            await desk.uploader.room()
    assert desk.held.lost.is_set()


async def test_nothing_is_tried_again_after_the_lease(desk: Desk) -> None:
    desk.work.fault = lambda _method, _request: Unavailable("STORE_UNAVAILABLE", "away")
    desk.say("a")
    finishing = asyncio.create_task(desk.finish())
    await desk.work.until(lambda: "FinishRun" in desk.work.calls)
    desk.held.lose("fenced")
    with pytest.raises(LeaseLost):
        await finishing
    calls = len(desk.work.calls)
    await asyncio.sleep(0.2)
    assert len(desk.work.calls) == calls


async def test_what_control_will_never_take_is_not_sent_for_ever(desk: Desk) -> None:
    refusal = InvalidArgument("INVALID_FIELD", "events[0].kind: bad")
    desk.work.fault = lambda method, _request: refusal if method == "AppendEvents" else None
    async with writing(desk) as writer:
        desk.say("a")
        with pytest.raises(Rejected) as caught:
            await writer
    assert (caught.value.reason, desk.work.calls.count("AppendEvents")) == ("INVALID_FIELD", 1)
    desk.uploader.forget()
    desk.uploader.add(notice=events_pb2.Notice(code="after"))
    await desk.finish()
    assert [event.sequence for event in desk.work.events[desk.run]] == [3]


async def test_a_finish_whose_answer_was_lost_is_repeated_without_harm(desk: Desk) -> None:
    answers: list[Any] = [Unavailable("STORE_UNAVAILABLE", "the answer is lost"), None]
    desk.work.after = lambda method, _request: answers.pop(0) if method == "FinishRun" else None
    desk.say("a")
    await desk.finish()
    assert desk.stored() == [("text", "a")]
    assert desk.work.calls.count("FinishRun") == 2
