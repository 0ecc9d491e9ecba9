"""Sandboxes as workers report them: shown, stopped, and gone with their worker."""

from pathlib import Path
from typing import Any

import pytest

from signet.kit.errors import FailedPrecondition, InvalidArgument, NotFound
from signet.v1 import sandboxes_pb2, workers_pb2
from signet.work.v1 import work_pb2
from tests.integration.control.fleet import Fleet, eventually, refused, running, told
from tests.integration.control.test_control_policies import box, effective

IDLE, BUSY = sandboxes_pb2.SANDBOX_STATE_IDLE, sandboxes_pb2.SANDBOX_STATE_BUSY
STOPPING = sandboxes_pb2.SANDBOX_STATE_STOPPING


async def listed(fleet: Fleet, **fields: Any) -> list[str]:
    found = await fleet.operator.sandboxes.ListSandboxes(sandboxes_pb2.ListSandboxesRequest(**fields))
    return [sandbox.name.rpartition("-")[2] for sandbox in found.sandboxes]


async def shown(fleet: Fleet, number: int) -> sandboxes_pb2.Sandbox:
    request = sandboxes_pb2.GetSandboxRequest(name=f"sandboxes/one.assistant-{number}")
    found: sandboxes_pb2.Sandbox = (await fleet.operator.sandboxes.GetSandbox(request)).sandbox
    return found


async def stop(fleet: Fleet, number: int, *, force: bool = False) -> None:
    name = f"sandboxes/one.assistant-{number}"
    await fleet.operator.sandboxes.StopSandbox(sandboxes_pb2.StopSandboxRequest(name=name, force=force))


async def test_what_a_worker_reports_is_shown_and_what_it_names_no_more_is_gone(fleet: Fleet) -> None:
    await fleet.register()
    policy = await effective(fleet)
    isolation = {"layers": [{"name": "landlock", "state": 1, "detail": "ABI 7"}]}
    first = box(1, policy, state=IDLE, tier="standard", isolation=isolation, memory_bytes=4096, processes=2)
    await fleet.report(first, box(2, policy, state=BUSY))
    first.worker = "workers/one"
    assert await shown(fleet, 1) == first
    assert await listed(fleet) == ["1", "2"]
    assert await listed(fleet, agent="agents/other") == []
    await fleet.report(box(2, policy, state=IDLE))
    assert await listed(fleet) == ["2"]
    assert (await shown(fleet, 2)).state == IDLE
    request = sandboxes_pb2.GetSandboxRequest(name="sandboxes/one.assistant-1")
    error = await refused(fleet.operator.sandboxes.GetSandbox(request))
    assert isinstance(error, NotFound)
    assert "one.assistant-2" in error.message


async def test_sandboxes_are_listed_by_name_a_page_at_a_time(fleet: Fleet) -> None:
    await fleet.register()
    policy = await effective(fleet)
    await fleet.report(*(box(number, policy) for number in range(5)))
    request = sandboxes_pb2.ListSandboxesRequest(page_size=3)
    first = await fleet.operator.sandboxes.ListSandboxes(request)
    request.page_token = first.next_page_token
    second = await fleet.operator.sandboxes.ListSandboxes(request)
    assert [len(first.sandboxes), len(second.sandboxes)] == [3, 2]
    assert not second.next_page_token


async def test_a_stop_is_told_until_the_sandbox_is_gone(fleet: Fleet) -> None:
    await fleet.register()
    policy = await effective(fleet)
    await fleet.report(box(1, policy, state=IDLE))
    directives = fleet.directives()
    await stop(fleet, 1)
    for watched in (directives, fleet.directives()):
        order = (await told(watched, "stop_sandbox")).stop_sandbox
        assert order == work_pb2.StopOrder(sandbox="sandboxes/one.assistant-1")
    await fleet.report(box(1, policy, state=BUSY))
    assert (await shown(fleet, 1)).state == STOPPING
    await fleet.report()
    await fleet.report(box(1, policy, state=IDLE))
    assert (await shown(fleet, 1)).state == IDLE
    request = work_pb2.RenewLeasesRequest(worker="workers/one", incarnation="first")
    answer = await fleet.worker.work.RenewLeases(request)
    assert not any(order.HasField("stop_sandbox") for order in answer.directives)


async def test_a_sandbox_with_a_run_is_stopped_by_force_only(fleet: Fleet) -> None:
    await fleet.register()
    claim = await fleet.taken()
    await fleet.report(box(1, await effective(fleet), state=BUSY, run=claim.run.name))
    request = sandboxes_pb2.StopSandboxRequest(name="sandboxes/one.assistant-1")
    error = await refused(fleet.operator.sandboxes.StopSandbox(request))
    assert isinstance(error, FailedPrecondition)
    assert error.reason == "SANDBOX_BUSY"
    assert claim.run.name in error.message
    directives = fleet.directives()
    await stop(fleet, 1, force=True)
    assert (await told(directives, "stop_sandbox")).stop_sandbox.force


async def test_an_older_incarnation_may_not_report_and_a_new_one_begins_with_none(fleet: Fleet) -> None:
    await fleet.register()
    policy = await effective(fleet)
    await fleet.report(box(1, policy))
    await fleet.register(incarnation="second")
    assert await listed(fleet) == []
    request = work_pb2.ReportSandboxesRequest(worker="workers/one", incarnation="first", sandboxes=[box(1, policy)])
    error = await refused(fleet.worker.work.ReportSandboxes(request))
    assert error.reason == "LEASE_LOST"
    await fleet.report(box(1, policy), incarnation="second")
    assert await listed(fleet) == ["1"]


async def test_a_lost_workers_sandboxes_are_gone_and_come_back_with_its_next_report(tmp_path: Path) -> None:
    async with running(tmp_path, lease_seconds=2) as fleet:
        await fleet.register()
        policy = await effective(fleet)
        await fleet.report(box(1, policy))

        async def gone() -> bool:
            return not await listed(fleet)

        await eventually(gone)
        worker = (await fleet.operator.workers.GetWorker(workers_pb2.GetWorkerRequest(name="workers/one"))).worker
        assert worker.state == workers_pb2.WORKER_STATE_LOST
        await fleet.report(box(1, policy))
        assert await listed(fleet) == ["1"]


@pytest.mark.parametrize(
    ("sandboxes", "bad"),
    [
        ([{"name": "sandboxes/two.assistant-1", "agent": "agents/assistant"}], "sandboxes[0].name"),
        ([{"name": "sandboxes/one.", "agent": "agents/assistant"}], "sandboxes[0].name"),
        ([{"name": "sandboxes/one.a-1", "agent": "assistant"}], "sandboxes[0].agent"),
        ([{"name": "sandboxes/one.a-1", "agent": "agents/a", "detail": "x" * 70_000}], "sandboxes[0]"),
        ([{"name": "sandboxes/one.a-1", "agent": "agents/a"}] * 2, "sandboxes"),
    ],
)
async def test_a_bad_report_is_refused_whole(fleet: Fleet, sandboxes: list[dict[str, Any]], bad: str) -> None:
    await fleet.register()
    request = work_pb2.ReportSandboxesRequest(
        worker="workers/one", incarnation="first", sandboxes=[sandboxes_pb2.Sandbox(**found) for found in sandboxes]
    )
    error = await refused(fleet.worker.work.ReportSandboxes(request))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [bad]
    assert await listed(fleet) == []
