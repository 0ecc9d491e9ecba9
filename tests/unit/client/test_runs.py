"""Runs through the client: idempotent creation, watches that lose nothing, and cancels that reach control."""

import asyncio
import hashlib
from contextlib import aclosing

import pytest

from signet.client import AsyncSignet
from signet.kit.errors import DeadlineExceeded, Internal, InvalidArgument, NotFound, OutOfRange, Unavailable
from signet.kit.home import Home
from signet.v1 import runs_pb2 as pb
from tests.fakes.control import OPERATOR, Hold, State, furnished, serve, text


async def test_a_run_yields_every_event_once_and_in_order(signet: AsyncSignet, state: State) -> None:
    events = [event async for event in signet.run("assistant", "hi")]

    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[0].created.input == "hi"
    assert events[-1].finished.outcome == "SUCCEEDED"
    assert state.asked(pb.CreateRunRequest)[0].request_id


async def test_a_watch_that_breaks_goes_on_behind_the_last_event(signet: AsyncSignet, state: State) -> None:
    state.scripts["long"] = tuple(text(f"{index} ") for index in range(20))
    state.break_after += [1, 5, 6, 15]

    events = [event async for event in signet.run("assistant", "long")]

    assert [event.sequence for event in events] == list(range(1, 24))
    assert [request.after_sequence for request in state.asked(pb.WatchRunEventsRequest)] == [0, 1, 5, 6, 15]


async def test_a_service_that_repeats_events_is_heard_once(signet: AsyncSignet, state: State) -> None:
    state.scripts["long"] = tuple(text(f"{index} ") for index in range(20))
    state.break_after += [5, 15]
    state.overlap = 3

    events = [event async for event in signet.run("assistant", "long")]

    assert [event.sequence for event in events] == list(range(1, 24))


async def test_a_watch_outlives_a_restart_of_control(home: Home) -> None:
    state = furnished()
    state.scripts["held"] = (text("before"), Hold())
    async with AsyncSignet(data=str(home.root), token=OPERATOR, patience_seconds=20) as signet:
        seen = []
        async with serve(state, home):
            run = await signet.runs.create("assistant", "held")
            watching = signet.runs.watch(run.name)
            seen += [await anext(watching) for _ in range(3)]
        async with serve(state, home):  # the run was ended by the first fleet's stop
            seen += [event async for event in watching]

    assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].finished.outcome == "CANCELLED"


async def test_a_watch_gives_up_when_control_stays_away(home: Home) -> None:
    state = furnished()
    state.scripts["held"] = (Hold(),)
    async with AsyncSignet(data=str(home.root), token=OPERATOR, patience_seconds=0.3) as signet:
        async with serve(state, home):
            run = await signet.runs.create("assistant", "held")
            watching = signet.runs.watch(run.name)
            await anext(watching)
        with pytest.raises(Unavailable):
            async for _ in watching:
                pass


async def test_a_watch_from_the_end_of_a_final_run_ends_at_once(signet: AsyncSignet) -> None:
    last = [event async for event in signet.run("assistant", "hi")][-1]

    assert [event async for event in signet.runs.watch(last.run, after=last.sequence)] == []
    with pytest.raises(OutOfRange):
        await anext(signet.runs.watch(last.run, after=last.sequence + 1))


async def test_creation_is_sent_again_with_the_same_request_id(signet: AsyncSignet, state: State) -> None:
    await signet.runs.list().page()  # somebody was reached
    state.failures["CreateRunRequest"] = [Unavailable("STORE_UNAVAILABLE", "away"), Unavailable("X", "away")]

    run = await signet.runs.create("assistant", "hi")

    asked = state.asked(pb.CreateRunRequest)
    assert len(asked) == 3
    assert len({request.request_id for request in asked}) == 1
    assert list(state.runs) == [run.name]


async def test_what_is_not_idempotent_is_not_sent_again(signet: AsyncSignet, state: State) -> None:
    await signet.agents.list().page()
    state.failures["CreateAgentRequest"] = [Unavailable("STORE_UNAVAILABLE", "away")]

    with pytest.raises(Unavailable, match="away"):
        await signet.agents.create("other")

    assert "agents/other" not in state.agents


async def test_leaving_a_run_cancels_it(signet: AsyncSignet, state: State) -> None:
    state.scripts["held"] = (text("a"), Hold())
    async with aclosing(signet.run("assistant", "held")) as events:
        async for event in events:
            if event.HasField("text"):
                break

    assert [request.name for request in state.asked(pb.CancelRunRequest)] == list(state.runs)


async def test_cancelling_the_task_cancels_the_run(signet: AsyncSignet, state: State) -> None:
    state.scripts["held"] = (text("a"), Hold())
    reached = asyncio.Event()

    async def follow() -> None:
        async for event in signet.run("assistant", "held"):
            if event.HasField("text"):
                reached.set()

    task = asyncio.create_task(follow())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert state.asked(pb.CancelRunRequest)


async def test_a_cancel_while_the_run_is_being_made_cancels_the_run_that_was_made(
    signet: AsyncSignet, state: State
) -> None:
    state.scripts["held"] = (Hold(),)
    entered, go = asyncio.Event(), asyncio.Event()
    create = signet.runs.create

    async def slowly(*args: str, **options: str | None) -> pb.Run:
        entered.set()
        await go.wait()
        return await create(*args, **options)  # type: ignore[arg-type] # handed through

    signet.runs.create = slowly  # type: ignore[method-assign] # holds the request on its way
    task = asyncio.create_task(anext(signet.run("assistant", "held")))
    await entered.wait()
    task.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert state.runs
    assert [request.name for request in state.asked(pb.CancelRunRequest)] == list(state.runs)


async def test_leaving_a_finished_run_asks_for_no_cancel(signet: AsyncSignet, state: State) -> None:
    async with aclosing(signet.run("assistant", "hi")) as events:
        async for event in events:
            if event.HasField("finished"):
                break

    assert not state.asked(pb.CancelRunRequest)


async def test_wait_gives_the_final_run(signet: AsyncSignet) -> None:
    run = await signet.runs.create("assistant", "hi")

    final = await signet.runs.wait(run.name, timeout_seconds=10)

    assert final.state == pb.RUN_STATE_SUCCEEDED
    assert final.record_digest
    assert (await signet.runs.record(run.name)).digest == final.record_digest


async def test_a_record_may_be_larger_than_grpc_usually_takes(signet: AsyncSignet, state: State) -> None:
    state.scripts["much"] = (text("x" * (3 << 20)),)
    run = await signet.runs.wait((await signet.runs.create("assistant", "much")).name, timeout_seconds=20)

    record = await signet.runs.record(run.name)

    assert record.ByteSize() > 9 << 20
    assert record.run == run


async def test_wait_ends_with_its_deadline_and_leaves_the_run(signet: AsyncSignet, state: State) -> None:
    state.scripts["held"] = (Hold(),)
    run = await signet.runs.create("assistant", "held")

    with pytest.raises(DeadlineExceeded, match="not final"):
        await signet.runs.wait(run.name, timeout_seconds=0.05)

    assert not state.asked(pb.CancelRunRequest)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("x" * (2 << 20), "is 2.0 MiB; at most 1 MiB"),
        ("fine until \udcff", "not valid UTF-8 at character 12"),
    ],
)
async def test_bad_input_is_refused_before_it_is_sent(signet: AsyncSignet, state: State, given: str, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        await signet.runs.create("assistant", given)

    assert not state.asked(pb.CreateRunRequest)


async def test_an_unknown_agent_is_named_with_what_is_near(signet: AsyncSignet) -> None:
    with pytest.raises(NotFound, match="Did you mean agents/assistant") as caught:
        await anext(signet.run("asistant", "hi"))

    assert caught.value.reason == "AGENT_NOT_FOUND"
    assert caught.value.hint == "signet agent list"


async def test_a_body_comes_whole_or_not_at_all(signet: AsyncSignet, state: State) -> None:
    body = bytes(range(256)) * 4096
    digest = hashlib.sha256(body).hexdigest()
    state.blobs[digest] = body
    state.blobs["0" * 64] = b"something else"

    assert await signet.runs.blob(digest) == body
    with pytest.raises(Internal, match="damaged"):
        await signet.runs.blob("0" * 64)
