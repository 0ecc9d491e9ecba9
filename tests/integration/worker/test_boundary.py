"""The boundary of a whole fleet: people apply policies and answer questions, and what agents do is held to them."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from signet.v1 import approvals_pb2, policies_pb2, runs_pb2
from signet.v1.events_pb2 import RunEvent
from tests.fakes.provider import FakeProvider
from tests.fakes.site import Asked, Site
from tests.harness.fleet import Fleet
from tests.integration.worker.conftest import HOST

SUCCEEDED = runs_pb2.RUN_STATE_SUCCEEDED
VALUE = "the-real-value-5b1f"


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async with (
        FakeProvider() as provider,
        Fleet(provider=provider.base_url, model="fake-small") as running,
    ):
        yield running


def reaching(site: Site) -> str:
    return (
        f'version: 1\nnetwork:\n  site: {{endpoints: [{{host: "{HOST}", port: {site.port}, allowed_ips: [{HOST}]}}]}}\n'
    )


async def begin(fleet: Fleet, command: str) -> str:
    """Have the agent run a command; gives the run's name."""
    run = await fleet.client.runs.create("walled", f"CALL exec {json.dumps({'command': command})}")
    return run.name


async def end(fleet: Fleet, name: str) -> tuple[runs_pb2.Run, list[RunEvent]]:
    run = await fleet.client.runs.wait(name, timeout_seconds=60)
    return run, [event async for event in fleet.client.runs.watch(name)]


async def first(fleet: Fleet, name: str, kind: str) -> RunEvent:
    """Wait for a run's first event of a kind."""
    async with asyncio.timeout(60):
        async for event in fleet.client.runs.watch(name):
            if event.WhichOneof("kind") == kind:
                return event
    raise AssertionError(f"no {kind}")


async def asked(fleet: Fleet) -> approvals_pb2.Approval:
    """Wait for a question."""
    async with asyncio.timeout(60):
        async for approval in fleet.client.approvals.watch():
            if approval.state == approvals_pb2.APPROVAL_STATE_PENDING:
                return approval
    raise AssertionError("nobody asked")


async def until(met: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what no stream tells of."""
    async with asyncio.timeout(60):
        while not await met():  # noqa: ASYNC110 - as it says
            await asyncio.sleep(0.02)


async def test_an_agent_reaches_the_site_of_its_policy_and_no_other(fleet: Fleet) -> None:
    site, other = await Site().start(host=HOST), await Site().start(host=HOST)
    await fleet.client.policies.apply("walls", reaching(site))
    await fleet.client.agents.create("walled", policy="walls")
    both = f"curl -s http://{HOST}:{site.port}/; curl -s http://{HOST}:{other.port}/"
    run, events = await end(fleet, await begin(fleet, both))
    await site.aclose()
    await other.aclose()
    assert run.state == SUCCEEDED, run.error
    assert "hello from the site" in run.output
    assert "policy_denied" in run.output
    assert other.connections == 0
    decided = [event.egress_decided for event in events if event.WhichOneof("kind") == "egress_decided"]
    assert [(one.port, one.verdict) for one in decided] == [(site.port, "allow"), (other.port, "deny")]


async def test_applying_a_policy_closes_a_live_connection_and_its_version_is_loaded(fleet: Fleet) -> None:
    begun = asyncio.Event()

    async def endless(_: Asked) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return b""

    site = await Site(answer=endless).start(host=HOST)
    await fleet.client.policies.apply("walls", reaching(site))
    await fleet.client.agents.create("walled", policy="walls")
    name = await begin(fleet, f"curl -s http://{HOST}:{site.port}/; echo over")
    await asyncio.wait_for(begun.wait(), 60)
    await fleet.client.policies.apply("walls", "version: 1\n")

    async def loaded() -> bool:
        version = await fleet.client.policies.version("walls", 2)
        return version.state == policies_pb2.POLICY_STATE_LOADED and version.loaded == version.sandboxes > 0

    await until(loaded)
    run, events = await end(fleet, name)
    await site.aclose()
    assert run.state == SUCCEEDED, run.error
    assert "over" in run.output
    [told] = [event.policy_loaded for event in events if event.WhichOneof("kind") == "policy_loaded"]
    assert (told.policy, told.version, told.closed) == ("policies/walls", 2, 1)


async def test_a_yes_to_a_command_lets_it_through_and_for_the_agent_also_next_time(fleet: Fleet) -> None:
    await fleet.client.policies.apply("walls", "version: 1\ncommands: {ask: ['touch *']}\n")
    await fleet.client.agents.create("walled", policy="walls")
    name = await begin(fleet, "touch made && echo done")
    approval = await asked(fleet)
    assert (approval.run, approval.ask.command.command) == (name, "touch made && echo done")
    await fleet.client.approvals.approve(approval.name, scope="agent")
    run, events = await end(fleet, name)
    assert "done" in run.output
    kinds = [event.WhichOneof("kind") for event in events]
    assert kinds.index("approval_requested") < kinds.index("approval_answered") < kinds.index("tool_call_started")
    again, events = await end(fleet, await begin(fleet, "touch made && echo done"))
    assert "done" in again.output
    assert "approval_requested" not in [event.WhichOneof("kind") for event in events]


async def test_a_denied_connection_is_asked_for_and_the_yes_reaches_the_sandbox(fleet: Fleet) -> None:
    """The host is at an address that a yes does not open: that is what the retry is told in the end."""
    site, name_of_host = await Site().start(), socket.gethostname().lower()
    await fleet.client.policies.apply("walls", "version: 1\napprovals: {network: ask, wait: 10m}\n")
    await fleet.client.agents.create("walled", policy="walls")
    curl = f"curl -s http://{name_of_host}:{site.port}/"
    refused = "grep -E '(loopback|private|link-local) address'"
    name = await begin(fleet, f"until {curl} | tee said | {refused}; do sleep 0.05; done")
    approval = await asked(fleet)
    assert (approval.ask.network.host, approval.ask.network.port) == (name_of_host, site.port)
    await fleet.client.approvals.approve(approval.name)
    run, events = await end(fleet, name)
    await site.aclose()
    assert run.state == SUCCEEDED, run.error
    assert " address" in run.output
    assert [event.approval_answered.answer for event in events if event.WhichOneof("kind") == "approval_answered"] == [
        "APPROVED"
    ]


async def test_a_secret_reaches_its_site_and_is_in_no_record(tls_site: Site, fleet: Fleet) -> None:
    lent = f'secrets:\n  site: {{secret: site-token, env: SITE_TOKEN, host: "{HOST}", port: {tls_site.port}}}\n'
    await fleet.client.secrets.put("site-token", VALUE)
    await fleet.client.policies.apply("walls", reaching(tls_site) + lent)
    await fleet.client.agents.create("walled", policy="walls")
    use = f'curl -s -H "authorization: Bearer $SITE_TOKEN" https://{HOST}:{tls_site.port}/; env; cat /proc/*/environ'
    run, events = await end(fleet, await begin(fleet, use))
    assert run.state == SUCCEEDED, run.error
    assert tls_site.asked[0].headers["authorization"] == f"Bearer {VALUE}"
    assert "signet:secret:site:" in run.output
    assert VALUE not in b"".join(event.SerializeToString() for event in events).decode("latin-1")
    assert VALUE not in fleet.log("worker")


async def test_a_worker_that_is_restarted_cleanly_keeps_its_warm_sandbox(fleet: Fleet) -> None:
    await fleet.client.agents.create("walled")
    await end(fleet, await begin(fleet, "echo kept > /tmp/mine"))
    before = await fleet.program("worker")
    os.kill(before["pid"], signal.SIGHUP)

    async def anew() -> bool:
        return fleet.log("worker").count('"registered"') == 2

    await until(anew)
    run, events = await end(fleet, await begin(fleet, "cat /tmp/mine"))
    after = await fleet.program("worker")
    assert "kept" in run.output
    assert (after["pid"], after["restarts"]) == (before["pid"], before["restarts"])
    assert next(event.sandbox_opened.warm for event in events if event.WhichOneof("kind") == "sandbox_opened")
