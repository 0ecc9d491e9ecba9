"""Whatever is killed in the middle of a run: nothing acknowledged is lost, and the run ends, with a reason or well."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from signet.v1.events_pb2 import RunEvent
from signet.v1.runs_pb2 import Run, RunState
from tests.fakes.provider import FakeProvider, Reply
from tests.harness.fleet import Fleet

SLOW = Reply("one two three four five six seven eight nine ten", delay_seconds=0.3)
SLEEP = 'CALL exec {"command": "touch began; sleep 30"}'


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as fake:
        yield fake


@pytest.fixture
async def fleet(provider: FakeProvider) -> AsyncIterator[Fleet]:
    async with Fleet(provider=provider.base_url, model="fake-small") as running:
        yield running


async def until(fleet: Fleet, name: str, kind: str) -> list[RunEvent]:
    """Give a run's events up to the first of a kind."""
    seen = []
    async for event in fleet.client.runs.watch(name):
        seen.append(event)
        if event.WhichOneof("kind") == kind:
            return seen
    raise AssertionError(f"no {kind} among {[event.WhichOneof('kind') for event in seen]}")


async def ended(fleet: Fleet, name: str) -> tuple[Run, list[RunEvent]]:
    """Wait for the end of a run; give it and all its events, which are in order and without gaps."""
    run = await fleet.client.runs.wait(name, timeout_seconds=60)
    events = [event async for event in fleet.client.runs.watch(name)]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.WhichOneof("kind") for event in events].count("finished") == 1
    assert len(run.record_digest) == 64
    return run, events


async def test_control_killed_in_mid_stream_loses_no_event_and_the_run_goes_on(
    provider: FakeProvider, fleet: Fleet
) -> None:
    provider.queue(SLOW)
    run = await fleet.client.runs.create("assistant", "count")
    before = await until(fleet, run.name, "text")
    await fleet.restart("control")
    run, events = await ended(fleet, run.name)

    assert events[: len(before)] == before, "what was seen is still there, unchanged"
    assert run.state == RunState.RUN_STATE_SUCCEEDED, run.error
    assert run.output == SLOW.text


async def test_a_watcher_lives_through_the_end_of_control(provider: FakeProvider, fleet: Fleet) -> None:
    provider.queue(SLOW)
    run = await fleet.client.runs.create("assistant", "count")
    first = asyncio.Event()

    async def watch() -> list[int]:
        sequences = []
        async for event in fleet.client.runs.watch(run.name):
            sequences.append(event.sequence)
            if event.HasField("text"):
                first.set()
        return sequences

    watching = asyncio.create_task(watch())
    async with asyncio.timeout(60):
        await first.wait()
        await fleet.restart("control")
        sequences = await watching

    assert sequences == list(range(1, len(sequences) + 1))


async def test_a_worker_killed_before_any_tool_gives_the_run_to_its_successor(
    provider: FakeProvider, fleet: Fleet
) -> None:
    provider.queue(SLOW)
    run = await fleet.client.runs.create("assistant", "count")
    await until(fleet, run.name, "text")
    await fleet.restart("worker")
    run, events = await ended(fleet, run.name)

    assert [event.attempt_lost.retried for event in events if event.HasField("attempt_lost")] == [True]
    assert run.attempts == 2
    assert run.state == RunState.RUN_STATE_SUCCEEDED, run.error
    assert run.output == "You said: count"


async def test_a_worker_killed_within_a_tool_call_fails_the_run_for_it_must_not_happen_twice(fleet: Fleet) -> None:
    run = await fleet.client.runs.create("assistant", SLEEP)
    await until(fleet, run.name, "tool_call_started")
    await fleet.restart("worker")
    run, events = await ended(fleet, run.name)

    assert run.state == RunState.RUN_STATE_FAILED
    assert run.error.reason == "WORKER_LOST"
    assert [event.tool_call_started.tool for event in events if event.HasField("tool_call_started")] == ["exec"]


async def test_a_router_killed_in_mid_stream_fails_that_run_with_a_reason_and_the_next_succeeds(
    provider: FakeProvider, fleet: Fleet
) -> None:
    provider.queue(SLOW)
    run = await fleet.client.runs.create("assistant", "count")
    await until(fleet, run.name, "text")
    await fleet.kill("router")
    run, _ = await ended(fleet, run.name)
    after = await fleet.client.runs.create("assistant", "and now?")
    after, _ = await ended(fleet, after.name)

    assert run.state == RunState.RUN_STATE_FAILED
    assert run.error.reason in {"MODEL_UNAVAILABLE", "MODEL_ERROR"}
    assert run.error.message
    assert after.output == "You said: and now?", after.error


async def test_a_cancel_ends_a_command_in_its_middle_and_leaves_the_sandbox_usable(fleet: Fleet) -> None:
    run = await fleet.client.runs.create("assistant", SLEEP)
    await until(fleet, run.name, "tool_call_started")
    await fleet.client.runs.cancel(run.name)
    run, events = await ended(fleet, run.name)
    after = await fleet.client.runs.create("assistant", 'CALL exec {"command": "pgrep sleep || echo none"}')
    after, _ = await ended(fleet, after.name)

    assert run.state == RunState.RUN_STATE_CANCELLED
    assert [event.tool_call_finished.is_error for event in events if event.HasField("tool_call_finished")] == [True]
    assert "none" in after.output


async def test_a_cancel_ends_a_stream_in_its_middle_and_the_provider_is_hung_up_on(
    provider: FakeProvider, fleet: Fleet
) -> None:
    provider.queue(SLOW)
    run = await fleet.client.runs.create("assistant", "count")
    await until(fleet, run.name, "text")
    await fleet.client.runs.cancel(run.name)
    run, _ = await ended(fleet, run.name)
    await provider.hung_up()

    assert run.state == RunState.RUN_STATE_CANCELLED
    assert run.output, "what was said so far is kept"
    assert SLOW.text.startswith(run.output.strip())
