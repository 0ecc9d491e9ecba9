"""From inside a run, through the whole platform: what an agent's command can and cannot reach."""

import json
import socket

from signet.v1.events_pb2 import IsolationState
from tests.fakes.provider import FakeProvider
from tests.harness.fleet import Fleet

DENIED = {"refused", "denied", "unreachable"}
LAYERS = {"network", "landlock", "seccomp", "capabilities"}


async def command(fleet: Fleet, text: str) -> str:
    """Have the agent run a command and give what it saw."""
    run = await fleet.client.runs.create("assistant", f"CALL exec {json.dumps({'command': text})}")
    run = await fleet.client.runs.wait(run.name, timeout_seconds=60)
    assert run.output.startswith("The tool said:"), run.error
    return run.output


async def test_a_run_reaches_its_workspace_and_models_and_nothing_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bait:
        port = bait.getsockname()[1]
        dial = f"python3 -c 'import socket; socket.create_connection((\"%s\", {port}), 2)' 2>&1 | tail -1"
        async with FakeProvider() as fake, Fleet(provider=fake.base_url, model="fake-small") as fleet:
            assert DENIED & {*(await command(fleet, dial % "127.0.0.1")).split()}
            assert DENIED & {*(await command(fleet, dial % "192.0.2.1")).split()}
            assert "name resolution" in await command(fleet, dial % "example.org")
            assert "No such file" in await command(fleet, f"ls {fleet.home.root} 2>&1")
            assert "Read-only file system" in await command(fleet, "touch /usr/x 2>&1")
            models = await command(
                fleet,
                "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://inference.local/v1/models\").read())'",
            )
            assert "fake-small" in models
            run = await fleet.client.runs.create("assistant", "report")
            await fleet.client.runs.wait(run.name, timeout_seconds=60)
            events = [event async for event in fleet.client.runs.watch(run.name)]

    opened = next(event.sandbox_opened for event in events if event.HasField("sandbox_opened"))
    assert opened.isolation.layers
    states = {layer.name: layer.state for layer in opened.isolation.layers}
    # Memory as a whole is bounded in part where the host gives no control group for it, and the report says so.
    assert states.pop("limits") in {IsolationState.ISOLATION_STATE_ENFORCED, IsolationState.ISOLATION_STATE_PARTIAL}
    assert set(states.values()) == {IsolationState.ISOLATION_STATE_ENFORCED}
    names = " ".join(layer.name for layer in opened.isolation.layers)
    assert all(layer in names for layer in LAYERS), names


async def test_agents_do_not_see_each_others_workspaces() -> None:
    async with FakeProvider() as fake, Fleet(provider=fake.base_url, model="fake-small") as fleet:
        await fleet.client.agents.create("other", soul="general")
        await command(fleet, "echo mine > private.txt")
        call = json.dumps({"command": "ls -a /workspace; find / -name private.txt 2>/dev/null"})
        run = await fleet.client.runs.create("other", f"CALL exec {call}")
        run = await fleet.client.runs.wait(run.name, timeout_seconds=60)
        again = await command(fleet, "cat private.txt")

    assert "private.txt" not in run.output
    assert "mine" in again, "the workspace outlives its runs"
