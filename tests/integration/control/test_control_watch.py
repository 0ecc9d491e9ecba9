"""Watching: everything, in order, each once, from wherever the watcher left; and one that sleeps costs nothing."""

import asyncio
from functools import partial
from pathlib import Path

import grpc

from signet.kit.errors import InvalidArgument, NotFound, OutOfRange, ResourceExhausted, Unavailable
from signet.v1 import events_pb2, runs_pb2, runs_pb2_grpc
from tests.integration.control.fleet import Fleet, event, eventually, refused, running, texts


async def test_watchers_who_come_early_late_and_in_the_middle_see_the_same(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    early = asyncio.create_task(fleet.events(claim.run.name))
    sequence = claim.next_sequence
    for _ in range(5):
        await fleet.append(claim.lease, texts(sequence, 100))
        sequence += 100
    middle = asyncio.create_task(fleet.events(claim.run.name, after=250))
    await fleet.append(claim.lease, texts(sequence, 50))
    await fleet.finish(claim.lease)
    async with asyncio.timeout(30):
        seen = await early
        tail = await middle
    assert [found.sequence for found in seen] == list(range(1, sequence + 51))
    assert seen[-1].WhichOneof("kind") == "finished"
    assert await fleet.events(claim.run.name) == seen
    assert tail == seen[250:]


async def test_batches_hold_256_events_at_most_and_large_events_come_alone(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    await fleet.append(claim.lease, texts(claim.next_sequence, 512))
    large = events_pb2.TextDelta(text="x" * 900_000)
    for number in range(3):
        await fleet.append(claim.lease, [event(claim.next_sequence + 512 + number, text=large)])
    request = runs_pb2.WatchRunEventsRequest(name=claim.run.name, replay_only=True)
    batches = [batch async for batch in fleet.operator.runs.WatchRunEvents(request)]
    assert max(len(batch.events) for batch in batches) == 256
    assert max(batch.ByteSize() for batch in batches) < 2 * 1024 * 1024
    assert sum(len(batch.events) for batch in batches) == claim.next_sequence + 514


async def test_a_replay_ends_where_the_run_stands(fleet: Fleet) -> None:
    run = await fleet.run()
    assert len(await fleet.events(run.name, replay_only=True)) == 1


async def test_positions_are_checked(fleet: Fleet) -> None:
    run = await fleet.run()
    await fleet.operator.runs.CancelRun(runs_pb2.CancelRunRequest(name=run.name))
    last = (await fleet.get(run.name)).last_sequence
    assert await fleet.events(run.name, after=last) == []

    def watch(name: str, after: int) -> object:
        return fleet.operator.runs.WatchRunEvents(runs_pb2.WatchRunEventsRequest(name=name, after_sequence=after))

    beyond = await refused(watch(run.name, last + 1))
    assert isinstance(beyond, OutOfRange)
    assert isinstance(await refused(watch(run.name, -1)), InvalidArgument)
    assert isinstance(await refused(watch("runs/none", 0)), NotFound)


async def test_watchers_have_a_bound_and_their_places_come_free(tmp_path: Path) -> None:
    async with running(tmp_path, max_watchers=2) as fleet:
        run = await fleet.run()
        request = runs_pb2.WatchRunEventsRequest(name=run.name)
        watching = [fleet.operator.runs.WatchRunEvents(request) for _ in range(2)]
        for watch in watching:
            await anext(aiter(watch))
        error = await refused(fleet.operator.runs.WatchRunEvents(request))
        assert isinstance(error, ResourceExhausted)
        assert error.reason == "LIMIT_REACHED"
        watching[0].cancel()
        await eventually(partial(_served, fleet, request))
        watching[1].cancel()


async def _served(fleet: Fleet, request: runs_pb2.WatchRunEventsRequest) -> bool:
    watch = fleet.operator.runs.WatchRunEvents(request)
    try:
        await anext(aiter(watch))
    except grpc.aio.AioRpcError:
        return False
    watch.cancel()
    return True


async def test_a_watcher_that_reads_nothing_holds_nobody_up(fleet: Fleet) -> None:
    """It opens a stream with the smallest window there is and never reads, while the run goes on beside it."""
    await fleet.register()
    claim = await fleet.taken()
    secret = (fleet.home.tokens / "operator").read_text().strip()
    options = (("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0))
    sleepers = [grpc.aio.insecure_channel(fleet.home.target("control.sock"), options=options) for _ in range(8)]
    request = runs_pb2.WatchRunEventsRequest(name=claim.run.name)
    metadata = (("authorization", f"Bearer {secret}"),)
    streams = [runs_pb2_grpc.RunServiceStub(channel).WatchRunEvents(request, metadata=metadata) for channel in sleepers]
    for stream in streams:
        await anext(aiter(stream))
    awake = asyncio.create_task(fleet.events(claim.run.name))
    sequence = claim.next_sequence
    piece = "x" * 4000
    for _ in range(20):
        batch = [event(sequence + number, text=events_pb2.TextDelta(text=piece)) for number in range(256)]
        await fleet.append(claim.lease, batch)
        sequence += 256
    await fleet.finish(claim.lease)
    async with asyncio.timeout(30):
        seen = await awake
    assert len(seen) == sequence
    for stream, channel in zip(streams, sleepers, strict=True):
        rest = [found.sequence async for batch in stream for found in batch.events]
        assert rest[-1] == sequence  # it slept, and missed nothing
        await channel.close()


async def test_watchers_are_told_when_control_ends(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        run = await fleet.run()
        watch = fleet.operator.runs.WatchRunEvents(runs_pb2.WatchRunEventsRequest(name=run.name))
        await anext(aiter(watch))
        ending = asyncio.create_task(refused(watch))
        fleet.stop.set()
        async with asyncio.timeout(10):
            error = await ending
    assert isinstance(error, Unavailable)
    assert error.reason == "SHUTTING_DOWN"
