"""Leases: one holder of a run at a time, found out when it is lost, and nobody else can write."""

import asyncio
from pathlib import Path

import pytest

from signet.kit.auth import verify_run_token
from signet.kit.errors import FailedPrecondition, InvalidArgument, Unauthenticated
from signet.kit.times import now_micros
from signet.v1 import events_pb2, runs_pb2, sessions_pb2, workers_pb2
from signet.work.v1 import work_pb2
from tests.integration.control.fleet import FINAL, WORKER, Fleet, event, refused, running, texts

TOOL = {"tool_call_started": events_pb2.ToolCallStarted(id="1", tool="exec", arguments="{}", verdict="allow")}


async def renewed(
    fleet: Fleet, *leases: work_pb2.Lease, incarnation: str = "first", worker: str = WORKER
) -> work_pb2.RenewLeasesResponse:
    request = work_pb2.RenewLeasesRequest(worker=worker, incarnation=incarnation, leases=leases, sandboxes=2)
    answer: work_pb2.RenewLeasesResponse = await fleet.worker.work.RenewLeases(request)
    return answer


async def test_runs_are_handed_out_oldest_first_each_to_one_worker(fleet: Fleet) -> None:
    await fleet.register()
    await fleet.register("workers/two", "other")
    made = [(await fleet.run(str(number))).name for number in range(20)]
    claims = await asyncio.gather(
        *(fleet.claim() for _ in range(12)), *(fleet.claim("workers/two", "other") for _ in range(12))
    )
    taken = [claim.run.name for claim in claims if claim]
    assert sorted(taken) == made
    assert claims.count(None) == 4


async def test_a_claim_that_waits_is_woken_by_a_new_run(fleet: Fleet) -> None:
    await fleet.register()
    waiting = asyncio.create_task(fleet.claim(wait_seconds=30))
    await asyncio.sleep(0.1)
    run = await fleet.run()
    async with asyncio.timeout(10):
        claim = await waiting
    assert claim is not None
    assert claim.run.name == run.name


async def test_a_claim_without_a_run_answers_without_one(fleet: Fleet) -> None:
    await fleet.register()
    assert await fleet.claim() is None


async def test_a_session_runs_one_at_a_time_and_others_go_on(fleet: Fleet) -> None:
    await fleet.register()
    request = sessions_pb2.CreateSessionRequest(session=sessions_pb2.Session(agent="agents/assistant"))
    session = (await fleet.operator.sessions.CreateSession(request)).session
    first = await fleet.run("first", session=session.name)
    second = await fleet.run("second", session=session.name)
    alone = await fleet.run("alone")
    claim = await fleet.claim()
    assert claim is not None
    assert claim.run.name == first.name
    other = await fleet.claim()
    assert other is not None
    assert other.run.name == alone.name
    waiting = asyncio.create_task(fleet.claim(wait_seconds=30))
    await asyncio.sleep(0.05)
    await fleet.finish(claim.lease)
    async with asyncio.timeout(10):
        following = await waiting
    assert following is not None
    assert following.run.name == second.name


async def test_the_run_token_says_what_the_run_may_ask(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken(model="models/fake/small")
    claims = verify_run_token(fleet.home.key("run.key"), claim.run_token, now_micros() / 1e6)
    assert claims.run == claim.run.name
    assert claims.agent == "agents/assistant"
    assert claims.models == ("fake/small", "fake/embedder")
    with pytest.raises(Unauthenticated):
        verify_run_token(fleet.home.key("run.key"), claim.run_token, now_micros() / 1e6 + 900 + 120)


async def test_a_stale_generation_can_append_and_finish_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, lease_seconds=4) as fleet:
        await fleet.register()
        old = await fleet.taken()
        await fleet.until(old.run.name, "attempt_lost")
        new = await fleet.claim(wait_seconds=10)
        assert new is not None
        assert new.lease.generation > old.lease.generation
        for call in (
            fleet.append(old.lease, texts(new.next_sequence, 1)),
            fleet.finish(old.lease),
            fleet.worker.work.PutBlob(iter([work_pb2.PutBlobRequest(digest="a" * 64, chunk=b"x", lease=old.lease)])),
        ):
            error = await refused(call)
            assert isinstance(error, FailedPrecondition)
            assert error.reason == "LEASE_LOST"
        assert (await renewed(fleet, old.lease)).lost == [old.run.name]
        assert (await renewed(fleet, new.lease)).lost == []
        await fleet.append(new.lease, texts(new.next_sequence, 1))
        assert (await fleet.finish(new.lease)).attempts == 2


async def test_a_lost_worker_before_any_tool_call_means_another_attempt(tmp_path: Path) -> None:
    async with running(tmp_path, lease_seconds=2) as fleet:
        await fleet.register()
        claim = await fleet.taken()
        await fleet.append(claim.lease, texts(claim.next_sequence, 3))
        lost = await fleet.until(claim.run.name, "attempt_lost")
        assert lost.attempt_lost.retried
        assert lost.sequence == claim.next_sequence + 3
        again = await fleet.claim(wait_seconds=10)
        assert again is not None
        assert again.run.attempts == 2
        assert again.next_sequence == lost.sequence + 2


async def test_a_lost_worker_after_a_tool_call_fails_the_run_and_says_why(tmp_path: Path) -> None:
    async with running(tmp_path, lease_seconds=2) as fleet:
        await fleet.register()
        claim = await fleet.taken()
        await fleet.append(claim.lease, [event(claim.next_sequence, **TOOL)])
        events = await fleet.events(claim.run.name)
        assert [found.WhichOneof("kind") for found in events][-2:] == ["attempt_lost", "finished"]
        run = await fleet.get(claim.run.name)
        assert run.state == runs_pb2.RUN_STATE_FAILED
        assert run.error.reason == "WORKER_LOST"
        assert "tool call" in run.error.message
        assert run.record_digest
        error = await refused(fleet.finish(claim.lease))
        assert error.reason == "LEASE_LOST"


async def test_attempts_end_at_their_bound(tmp_path: Path) -> None:
    async with running(tmp_path, max_attempts=2) as fleet:
        await fleet.register(incarnation="1")
        run = await fleet.run()
        for incarnation in ("2", "3"):
            assert await fleet.claim(incarnation=str(int(incarnation) - 1)) is not None
            await fleet.register(incarnation=incarnation)
        found = await fleet.get(run.name)
        assert found.state == runs_pb2.RUN_STATE_FAILED
        assert found.error.reason == "WORKER_LOST"
        assert found.attempts == 2


async def test_a_new_incarnation_voids_the_leases_of_the_old_one_at_once(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    directives = fleet.worker.work.WatchDirectives(work_pb2.WatchDirectivesRequest(worker=WORKER, incarnation="first"))
    ending = asyncio.create_task(refused(directives))
    await fleet.register(incarnation="second")
    error = await refused(fleet.append(claim.lease, texts(claim.next_sequence, 1)))
    assert error.reason == "LEASE_LOST"
    assert (await fleet.get(claim.run.name)).state == runs_pb2.RUN_STATE_PENDING
    for call in (fleet.claim(), renewed(fleet, claim.lease)):
        assert (await refused(call)).reason == "LEASE_LOST"
    async with asyncio.timeout(10):
        assert (await ending).reason == "LEASE_LOST"
    again = await fleet.claim(incarnation="second")
    assert again is not None
    assert again.run.name == claim.run.name


async def test_the_same_incarnation_may_register_again_and_keeps_its_leases(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    await fleet.register()
    assert await fleet.append(claim.lease, texts(claim.next_sequence, 1)) == claim.next_sequence


async def test_a_renewed_lease_outlives_its_first_time(tmp_path: Path) -> None:
    async with running(tmp_path, lease_seconds=2) as fleet:
        await fleet.register()
        kept = await fleet.taken("kept")
        left = await fleet.taken("left")
        watching = asyncio.create_task(fleet.until(left.run.name, "attempt_lost"))
        while not watching.done():
            assert (await renewed(fleet, kept.lease)).lost == []
            await asyncio.sleep(0.2)
        await watching
        assert await fleet.append(kept.lease, texts(kept.next_sequence, 1)) == kept.next_sequence


async def test_a_cancel_reaches_the_worker_at_once_and_in_the_answer_to_its_renewal(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    directives = fleet.worker.work.WatchDirectives(work_pb2.WatchDirectivesRequest(worker=WORKER, incarnation="first"))
    answer = await fleet.operator.runs.CancelRun(runs_pb2.CancelRunRequest(name=claim.run.name))
    assert answer.run.state == runs_pb2.RUN_STATE_RUNNING
    assert answer.run.cancel_requested
    async with asyncio.timeout(10):
        told = await anext(aiter(directives))
    assert told.directive.cancel_run == claim.run.name
    directives.cancel()
    orders = (await renewed(fleet, claim.lease)).directives
    assert [order.cancel_run for order in orders if order.HasField("cancel_run")] == [claim.run.name]
    error = runs_pb2.RunError(reason="CANCELLED", message="stopped")
    run = await fleet.finish(claim.lease, outcome=runs_pb2.RUN_STATE_CANCELLED, error=error, output="")
    assert run.state == runs_pb2.RUN_STATE_CANCELLED
    events = await fleet.events(run.name)
    assert [found.WhichOneof("kind") for found in events] == ["created", "claimed", "cancel_requested", "finished"]
    assert events[2].cancel_requested.caller == "tokens/operator"


async def test_a_cancel_that_the_worker_writes_down_itself_is_written_once(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    await fleet.operator.runs.CancelRun(runs_pb2.CancelRunRequest(name=claim.run.name))
    await fleet.append(claim.lease, [event(claim.next_sequence, cancel_requested=events_pb2.CancelRequested())])
    error = runs_pb2.RunError(reason="CANCELLED", message="stopped")
    await fleet.finish(claim.lease, outcome=runs_pb2.RUN_STATE_CANCELLED, error=error)
    events = await fleet.events(claim.run.name)
    asked = [found for found in events if found.HasField("cancel_requested")]
    assert [found.cancel_requested.caller for found in asked] == ["tokens/operator"]


async def test_a_cancelled_run_of_a_lost_worker_is_cancelled_not_tried_again(tmp_path: Path) -> None:
    async with running(tmp_path, lease_seconds=2) as fleet:
        await fleet.register()
        claim = await fleet.taken()
        await fleet.operator.runs.CancelRun(runs_pb2.CancelRunRequest(name=claim.run.name))
        await fleet.events(claim.run.name)
        assert (await fleet.get(claim.run.name)).state == runs_pb2.RUN_STATE_CANCELLED


async def test_a_draining_worker_is_given_nothing_until_the_drain_ends(fleet: Fleet) -> None:
    await fleet.register()
    drain = workers_pb2.DrainWorkerRequest(name=WORKER, draining=True)
    worker = (await fleet.operator.workers.DrainWorker(drain)).worker
    assert worker.state == workers_pb2.WORKER_STATE_DRAINING
    await fleet.run()
    assert await fleet.claim() is None
    assert any(order.drain for order in (await renewed(fleet)).directives)
    waiting = asyncio.create_task(fleet.claim(wait_seconds=30))
    await asyncio.sleep(0.05)
    await fleet.operator.workers.DrainWorker(workers_pb2.DrainWorkerRequest(name=WORKER))
    async with asyncio.timeout(10):
        assert await waiting is not None


async def test_a_claim_whose_caller_left_gives_its_run_back(tmp_path: Path) -> None:
    """Otherwise the run would stand still until the lease of nobody ended."""
    async with running(tmp_path, lease_seconds=600) as fleet:
        await fleet.register()
        await fleet.register("workers/two", "other")
        for _ in range(10):
            waiting = [asyncio.create_task(fleet.claim(wait_seconds=30)) for _ in range(4)]
            await asyncio.sleep(0.01)
            run = asyncio.create_task(fleet.run())
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            made = await run
            async with asyncio.timeout(30):
                while (found := await fleet.get(made.name)).state not in FINAL:
                    claim = await fleet.claim("workers/two", "other", wait_seconds=20)
                    assert claim is not None
                    assert claim.run.name == found.name
                    await fleet.finish(claim.lease)


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"capacity": 0}, "capacity"),
        ({"capacity": 1001}, "capacity"),
        ({"incarnation": ""}, "incarnation"),
        ({"runtimes": []}, "runtimes"),
        ({"worker": "workers/Not A Name"}, "worker"),
        ({"host": "h" * 300}, "host"),
    ],
)
async def test_a_worker_must_say_who_it_is(fleet: Fleet, fields: dict[str, object], bad: str) -> None:
    named: dict[str, object] = {"worker": WORKER, "incarnation": "1", "capacity": 1, "runtimes": ["builtin"]}
    request = work_pb2.RegisterWorkerRequest(**(named | fields))  # type: ignore[arg-type] # a table
    error = await refused(fleet.worker.work.RegisterWorker(request))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [bad]
