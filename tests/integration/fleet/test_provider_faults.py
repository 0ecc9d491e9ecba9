"""Whatever a provider does, a run ends with a reason that a person can act on, and the fleet serves the next one."""

import asyncio
import re

from signet.v1.runs_pb2 import Run
from tests.fakes.provider import FakeProvider, Fault, Reply
from tests.harness.fleet import Fleet

REASONS = {"MODEL_UNAVAILABLE", "MODEL_ERROR"}
IMPATIENT = {
    "SIGNET_ROUTER_FIRST_BYTE_SECONDS": "2",
    "SIGNET_ROUTER_IDLE_SECONDS": "2",
    "SIGNET_ROUTER_TOTAL_SECONDS": "8",
}

FAULTS = {
    **{fault.value: Reply("word " * 40, fault=fault) for fault in Fault if fault not in {Fault.NONE, Fault.OPEN_END}},
    "unauthorized": Reply(status=401, error={"message": "bad key"}),
    "overloaded": Reply(status=429, error={"message": "slow down"}),
    "broken": Reply(status=500, error={"message": "oh"}),
}


async def next_run(fleet: Fleet) -> Run:
    """Run once more, and again where the router says that it leaves the provider alone for a moment."""
    async with asyncio.timeout(60):
        while True:
            run = await fleet.client.runs.create("assistant", "still there?")
            run = await fleet.client.runs.wait(run.name, timeout_seconds=60)
            held = re.search(r"is not asked again for (\d+) s", run.error.message)
            if held is None:
                return run
            await asyncio.sleep(int(held[1]))


async def test_every_fault_of_a_provider_ends_its_run_with_a_reason_and_no_other() -> None:
    async with (
        FakeProvider() as fake,
        Fleet(provider=fake.base_url, model="fake-small", environment=IMPATIENT) as fleet,
    ):
        outcomes = {}
        for name, reply in FAULTS.items():
            fake.replies.clear()
            fake.queue(reply, reply, reply, reply)  # whoever tries again meets the same
            run = await fleet.client.runs.create("assistant", f"meet {name}")
            run = await fleet.client.runs.wait(run.name, timeout_seconds=60)
            outcomes[name] = (run.error.reason, run.error.message)
            fake.replies.clear()
            after = await next_run(fleet)
            assert after.output == "You said: still there?", f"after {name}: {after.error}"

    assert {name: reason for name, (reason, _) in outcomes.items() if reason not in REASONS} == {}
    assert all(message for _, message in outcomes.values())
