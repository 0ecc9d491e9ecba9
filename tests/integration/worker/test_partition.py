"""A worker cut off from a real control: both count the lease, and the worker is the first to give up."""

import os
import signal

from signet.v1 import runs_pb2
from tests.fakes.provider.server import FakeProvider
from tests.harness.fleet import Fleet
from tests.integration.worker.conftest import Begun, Wait, inside

LEASE = {"SIGNET_CONTROL_LEASE_SECONDS": "3"}


async def test_a_worker_that_control_does_not_answer_kills_what_it_runs_and_goes_on_later(
    begun: Begun, eventually: Wait
) -> None:
    async with (
        FakeProvider(models=("fake-small",)) as provider,
        Fleet(provider=provider.base_url, model="fake-small", environment=LEASE) as fleet,
    ):
        run = await fleet.client.runs.create("assistant", 'CALL exec {"command": "echo on; exec sleep 3601"}')
        async for event in fleet.client.runs.watch(run.name):
            if event.HasField("tool_output"):
                break
        before = await begun("sleep")
        control = await fleet.pid("control")
        os.kill(control, signal.SIGSTOP)
        try:
            await eventually(lambda: not inside("sleep") & before)
        finally:
            os.kill(control, signal.SIGCONT)
        async for event in fleet.client.runs.watch(run.name):
            ended = event
        final = await fleet.client.runs.get(run.name)
        assert ended.HasField("finished")
        assert (final.state, final.error.reason) == (runs_pb2.RUN_STATE_FAILED, "WORKER_LOST")
        after = await fleet.client.runs.create("assistant", "hello")
        async for event in fleet.client.runs.watch(after.name):
            ended = event
        assert ended.finished.output == "You said: hello"
