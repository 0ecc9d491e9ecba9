"""Callers' streams to sandboxes: both ends over real gRPC, each told when the other stops, none ahead of the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from control import relay as relays
from control.services import sandboxes as service
from signet.kit.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
)
from signet.v1 import sandboxes_pb2, workers_pb2
from signet.work.v1 import work_pb2
from tests.integration.control.fleet import Fleet, refused, told

BOX = sandboxes_pb2.Sandbox(
    name="sandboxes/one.assistant-1", agent="agents/assistant", state=sandboxes_pb2.SANDBOX_STATE_IDLE
)
CHUNK = b"x" * 256 * 1024
FLOOD = 400
START = sandboxes_pb2.ExecSandboxRequest(start={"target": BOX.name, "command": {"argv": ["cat"]}})


def started(target: str = BOX.name, **what: Any) -> sandboxes_pb2.ExecSandboxRequest:
    return sandboxes_pb2.ExecSandboxRequest(start={"target": target, **(what or {"command": {"argv": ["cat"]}})})


def said(**kind: Any) -> work_pb2.AttachRequest:
    return work_pb2.AttachRequest(exec=sandboxes_pb2.ExecSandboxResponse(**kind))


@dataclass
class Ends:
    """A caller's stream and a worker's, joined by control."""

    caller: Any
    worker: Any
    order: work_pb2.AttachOrder

    async def heard(self) -> sandboxes_pb2.ExecSandboxResponse:
        async with asyncio.timeout(20):
            message: sandboxes_pb2.ExecSandboxResponse = await self.caller.read()
            return message

    async def taken(self) -> sandboxes_pb2.ExecSandboxRequest:
        async with asyncio.timeout(20):
            message = await self.worker.read()
            assert message is not grpc.aio.EOF
            request: sandboxes_pb2.ExecSandboxRequest = message.exec
            return request

    async def worker_ended(self) -> bool:
        """Wait until the worker is told that its caller is gone."""
        async with asyncio.timeout(20):
            while await self.worker.read() is not grpc.aio.EOF:
                pass
            return await self.worker.code() is grpc.StatusCode.OK


@asynccontextmanager
async def joined(fleet: Fleet, first: sandboxes_pb2.ExecSandboxRequest = START) -> AsyncIterator[Ends]:
    """Call into a sandbox, and come for the caller as its worker does."""
    await fleet.register()
    await fleet.report(BOX)
    directives = fleet.directives()
    caller = fleet.operator.sandboxes.ExecSandbox(timeout=60)
    await caller.write(first)
    order = (await told(directives, "attach")).attach
    worker = fleet.worker.work.Attach(timeout=60)
    await worker.write(work_pb2.AttachRequest(id=order.id))
    ends = Ends(caller, worker, order)
    assert (await ends.taken()) == first
    yield ends
    caller.cancel()
    worker.cancel()


async def stalled(count: list[int]) -> int:
    """Wait until a number no longer grows; gives it."""
    before = -1
    while count[0] != before:
        before = count[0]
        await asyncio.sleep(0.5)
    return before


async def test_a_command_speaks_both_ways_until_it_exits(fleet: Fleet) -> None:
    async with joined(fleet) as ends:
        assert ends.order.target == BOX.name
        assert ends.order.policy.policy.policy == "policies/default"
        await ends.worker.write(said(started=BOX.name))
        assert (await ends.heard()).started == BOX.name
        for turn in range(50):
            await ends.caller.write(sandboxes_pb2.ExecSandboxRequest(stdin=b"%d" % turn))
            assert (await ends.taken()).stdin == b"%d" % turn
            await ends.worker.write(said(stdout=b"out %d" % turn))
            assert (await ends.heard()).stdout == b"out %d" % turn
        await ends.caller.write(sandboxes_pb2.ExecSandboxRequest(resize={"rows": 50, "columns": 132}))
        assert (await ends.taken()).resize.columns == 132
        await ends.caller.write(sandboxes_pb2.ExecSandboxRequest(signal=15))
        assert (await ends.taken()).signal == 15
        await ends.caller.write(sandboxes_pb2.ExecSandboxRequest(stdin_end=True))
        assert (await ends.taken()).stdin_end
        await ends.worker.write(said(exited={"code": 143}))
        assert (await ends.heard()).exited.code == 143
        assert await ends.caller.read() is grpc.aio.EOF
        assert await ends.caller.code() is grpc.StatusCode.OK
        assert await ends.worker_ended()


async def test_the_caller_may_have_no_more_to_say_and_still_hears_the_end(fleet: Fleet) -> None:
    async with joined(fleet) as ends:
        await ends.caller.done_writing()
        await ends.worker.write(said(started=BOX.name))
        await ends.worker.write(said(exited={"code": 0}))
        await ends.worker.done_writing()
        assert (await ends.heard()).started
        assert (await ends.heard()).HasField("exited")
        assert await ends.caller.read() is grpc.aio.EOF


async def test_a_caller_that_leaves_ends_its_worker(fleet: Fleet) -> None:
    async with joined(fleet) as ends:
        await ends.worker.write(said(started=BOX.name))
        await ends.heard()
        ends.caller.cancel()
        assert await ends.worker_ended()


async def test_output_waits_for_a_slow_caller_and_none_is_lost(fleet: Fleet) -> None:
    async with joined(fleet) as ends:
        sent = [0]

        async def flood() -> None:
            for number in range(FLOOD):
                await ends.worker.write(said(stdout=number.to_bytes(4) + CHUNK[4:]))
                sent[0] = number + 1
            await ends.worker.write(said(exited={"code": 0}))

        flooding = asyncio.create_task(flood())
        assert await stalled(sent) < FLOOD / 4
        for number in range(FLOOD):
            assert int.from_bytes((await ends.heard()).stdout[:4]) == number
        assert (await ends.heard()).HasField("exited")
        await flooding


async def test_a_caller_that_read_nothing_and_leaves_ends_its_worker(fleet: Fleet) -> None:
    """The server is held up in a write then, which must not keep it from seeing that nobody is there."""
    async with joined(fleet) as ends:
        sent = [0]

        async def flood() -> None:
            while True:
                await ends.worker.write(said(stdout=CHUNK))
                sent[0] += 1

        flooding = asyncio.create_task(flood())
        await stalled(sent)
        ends.caller.cancel()
        assert await ends.worker_ended()
        with pytest.raises((asyncio.InvalidStateError, grpc.aio.AioRpcError)):
            await flooding


async def test_input_waits_for_a_slow_worker_and_none_is_lost(fleet: Fleet) -> None:
    async with joined(fleet) as ends:
        sent = [0]

        async def flood() -> None:
            for number in range(FLOOD):
                await ends.caller.write(sandboxes_pb2.ExecSandboxRequest(stdin=number.to_bytes(4) + CHUNK[4:]))
                sent[0] = number + 1

        flooding = asyncio.create_task(flood())
        assert await stalled(sent) < FLOOD / 4
        for number in range(FLOOD):
            assert int.from_bytes((await ends.taken()).stdin[:4]) == number
        await flooding


async def test_a_command_may_exit_though_its_input_is_not_read(fleet: Fleet) -> None:
    """A caller in the middle of a write hears how it ended all the same."""
    async with joined(fleet) as ends:
        sent, exited = [0], asyncio.Event()

        async def flood() -> None:
            while not exited.is_set():
                await ends.caller.write(sandboxes_pb2.ExecSandboxRequest(stdin=CHUNK))
                sent[0] += 1
            await ends.caller.done_writing()

        flooding = asyncio.create_task(flood())
        await stalled(sent)
        await ends.worker.write(said(exited={"code": 1}))
        assert (await ends.heard()).exited.code == 1
        exited.set()
        await flooding
        assert await ends.caller.read() is grpc.aio.EOF
        assert await ends.worker_ended()


async def test_a_worker_that_breaks_off_is_told_to_the_caller(fleet: Fleet) -> None:
    async with joined(fleet) as ends:
        await ends.worker.write(said(stdout=b"half"))
        await ends.heard()
        ends.worker.cancel()
        error = await refused(ends.caller)
        assert isinstance(error, Unavailable)
        assert error.reason == "NO_WORKER"


async def test_a_worker_that_ends_before_the_command_is_no_success(fleet: Fleet) -> None:
    async with joined(fleet) as ends:
        await ends.worker.done_writing()
        assert isinstance(await refused(ends.caller), Unavailable)


async def test_nobody_waits_longer_than_said_for_a_worker(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ATTACH_SECONDS", 2)
    await fleet.register()
    await fleet.report(BOX)
    directives = fleet.directives()
    call = fleet.operator.sandboxes.ExecSandbox(timeout=60)
    await call.write(START)
    order = (await told(directives, "attach")).attach
    error = await refused(call)
    assert isinstance(error, Unavailable)
    assert error.reason == "NO_WORKER"
    late = fleet.worker.work.Attach(iter([work_pb2.AttachRequest(id=order.id)]), timeout=20)
    assert isinstance(await refused(late), NotFound)


async def test_a_caller_is_served_once_and_whoever_asks_hears_whether_it_is_there(fleet: Fleet) -> None:
    """A stream tells its end behind its messages: a worker that takes none asks in this way."""
    async with joined(fleet) as ends:
        again = [work_pb2.AttachRequest(id=ends.order.id)]
        error = await refused(fleet.worker.work.Attach(iter(again), timeout=20))
        assert isinstance(error, FailedPrecondition)
        await ends.worker.write(said(started=BOX.name))
        assert (await ends.heard()).started
        ends.caller.cancel()
        assert await ends.worker_ended()
        assert isinstance(await refused(fleet.worker.work.Attach(iter(again), timeout=20)), NotFound)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("FILE_NOT_FOUND", NotFound),
        ("SANDBOX_NOT_FOUND", NotFound),
        ("POLICY_DENIED", PermissionDenied),
        ("LIMIT_REACHED", ResourceExhausted),
        ("SANDBOX_FAILED", FailedPrecondition),
    ],
)
async def test_what_the_worker_cannot_do_is_said_as_it_is(fleet: Fleet, reason: str, kind: type[Exception]) -> None:
    async with joined(fleet) as ends:
        await ends.worker.write(work_pb2.AttachRequest(failure={"reason": reason, "message": "it is so"}))
        error = await refused(ends.caller)
        assert isinstance(error, kind)
        assert (error.reason, error.message) == (reason, "it is so")
        assert await ends.worker_ended()


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([sandboxes_pb2.ExecSandboxRequest(stdin=b"x")], "start"),
        ([], "start"),
        ([sandboxes_pb2.ExecSandboxRequest(start={"target": BOX.name})], "start"),
        ([started("workers/one")], "start.target"),
        ([started(command={"argv": ["x"], "max_seconds": -1})], "start.command.max_seconds"),
        ([started(command={"argv": ["x"], "terminal": {"rows": 0, "columns": 80}})], "start.command.terminal"),
        ([START, START], "kind"),
        ([START, sandboxes_pb2.ExecSandboxRequest()], "kind"),
        ([START, sandboxes_pb2.ExecSandboxRequest(stdin=CHUNK + b"x")], "stdin"),
        ([START, sandboxes_pb2.ExecSandboxRequest(signal=65)], "signal"),
        ([START, sandboxes_pb2.ExecSandboxRequest(resize={"rows": 5000, "columns": 1})], "resize"),
    ],
)
async def test_a_bad_message_is_refused_with_its_field(fleet: Fleet, messages: list[Any], field: str) -> None:
    await fleet.register()
    await fleet.report(BOX)
    error = await refused(fleet.operator.sandboxes.ExecSandbox(iter(messages), timeout=20))
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [field]


async def test_an_unknown_target_is_not_found_with_what_was_perhaps_meant(fleet: Fleet) -> None:
    await fleet.register()
    await fleet.report(BOX)
    for target, meant in (("sandboxes/one.assistant-2", "one.assistant-1"), ("agents/asistant", "assistant")):
        error = await refused(fleet.operator.sandboxes.ExecSandbox(iter([started(target)]), timeout=20))
        assert isinstance(error, NotFound)
        assert meant in error.message


async def test_an_agent_without_a_sandbox_is_opened_one_by_a_worker_that_does_not_drain(fleet: Fleet) -> None:
    await fleet.register("workers/two", "other")
    await fleet.register()
    drain = workers_pb2.DrainWorkerRequest(name="workers/one", draining=True)
    await fleet.operator.workers.DrainWorker(drain)
    directives = fleet.directives("workers/two", "other")
    call = fleet.operator.sandboxes.ExecSandbox(timeout=60)
    await call.write(started("agents/assistant"))
    order = (await told(directives, "attach")).attach
    assert (order.target, order.logs) == ("agents/assistant", False)
    assert order.policy.policy.agent == "agents/assistant"
    call.cancel()


async def test_an_order_to_attach_is_told_again_until_somebody_comes(fleet: Fleet) -> None:
    await fleet.register()
    await fleet.report(BOX)
    call = fleet.operator.sandboxes.ExecSandbox(timeout=60)
    await call.write(START)
    first = (await told(fleet.directives(), "attach")).attach
    assert (await told(fleet.directives(), "attach")).attach == first
    call.cancel()


async def test_without_a_worker_there_is_nobody_to_ask(fleet: Fleet) -> None:
    error = await refused(fleet.operator.sandboxes.ExecSandbox(iter([started("agents/assistant")]), timeout=20))
    assert isinstance(error, Unavailable)
    assert error.reason == "NO_WORKER"


async def test_one_caller_too_many_is_refused(fleet: Fleet) -> None:
    await fleet.register()
    await fleet.report(BOX)
    calls = [fleet.operator.sandboxes.ExecSandbox(timeout=60) for _ in range(relays.MAX_RELAYS)]
    for call in calls:
        await call.write(START)
    directives = fleet.directives()
    for _ in calls:
        await told(directives, "attach")
    error = await refused(fleet.operator.sandboxes.ExecSandbox(iter([START]), timeout=20))
    assert isinstance(error, ResourceExhausted)
    assert error.reason == "LIMIT_REACHED"
    for call in calls:
        call.cancel()


async def test_both_ends_are_told_when_control_ends(fleet: Fleet) -> None:
    async with joined(fleet) as ends:
        await ends.worker.write(said(started=BOX.name))
        await ends.heard()
        fleet.stop.set()
        error = await refused(ends.caller)
        assert isinstance(error, Unavailable)
        assert error.reason == "SHUTTING_DOWN"
        assert await ends.worker_ended()


async def logs(fleet: Fleet, *, follow: bool) -> tuple[Any, Any, work_pb2.AttachOrder]:
    await fleet.register()
    await fleet.report(BOX)
    directives = fleet.directives()
    request = sandboxes_pb2.WatchSandboxLogsRequest(name=BOX.name, follow=follow)
    caller = fleet.operator.sandboxes.WatchSandboxLogs(request, timeout=60)
    order = (await told(directives, "attach")).attach
    worker = fleet.worker.work.Attach(timeout=60)
    line = sandboxes_pb2.WatchSandboxLogsResponse(event="opened", text="it is open")
    await worker.write(work_pb2.AttachRequest(id=order.id, log=line))
    assert (await caller.read()) == line
    return caller, worker, order


async def test_a_log_ends_after_what_is_kept(fleet: Fleet) -> None:
    caller, worker, order = await logs(fleet, follow=False)
    assert (order.logs, order.follow) == (True, False)
    await worker.done_writing()
    assert await caller.read() is grpc.aio.EOF
    assert await caller.code() is grpc.StatusCode.OK


async def test_a_followed_log_ends_when_its_reader_leaves(fleet: Fleet) -> None:
    caller, worker, order = await logs(fleet, follow=True)
    assert order.follow
    caller.cancel()
    async with asyncio.timeout(20):
        assert await worker.read() is grpc.aio.EOF
