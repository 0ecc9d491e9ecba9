"""How a sandbox learns of its own end, with the test as its pid 1."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from workers.sandbox import wire
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Spec

SPEC = Spec(name="box", workspace=Path("/srv/box"))


async def test_what_pid_one_said_last_counts_more_than_that_it_is_dead() -> None:
    ours, theirs = wire.pair()
    death: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    sandbox = Sandbox(SPEC, ours, 4711, death, lambda: None)
    wire.send(theirs, SandboxUnavailable("no room.", layer="filesystem").to_wire())
    theirs.close()
    death.set_result(1)  # the zygote's word is heard before the sandbox's own socket is looked at
    with pytest.raises(SandboxUnavailable, match="no room") as refused:
        await sandbox.opened()
    assert refused.value.layer == "filesystem"
    assert await sandbox.wait() == "pid 1 ended with code 1."


@pytest.mark.parametrize("message", [{}, {"op": "started"}, {"op": "exited"}, {"op": "ready", "report": 1}])
async def test_a_pid_one_that_talks_nonsense_is_killed(message: dict[str, object]) -> None:
    ours, theirs = wire.pair()
    killed = asyncio.Event()
    death: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    sandbox = Sandbox(SPEC, ours, 4711, death, killed.set)
    wire.send(theirs, message)
    async with asyncio.timeout(10):
        await killed.wait()
    death.set_result(-9)
    await sandbox.aclose()
    theirs.close()


async def test_descriptors_that_nobody_asked_for_are_closed() -> None:
    ours, theirs = wire.pair()
    death: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    sandbox = Sandbox(SPEC, ours, 4711, death, lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire.send(theirs, {"op": "listening", "names": ["one"]}, [server.fileno()])
    reader, writer = os.pipe()
    for message in ({"op": "listening", "names": ["two"]}, {"op": "exited", "id": 1, "code": 0}):
        wire.send(theirs, message, [writer])
    os.close(writer)
    assert await asyncio.to_thread(os.read, reader, 1) == b""
    os.close(reader)
    assert set(sandbox.listeners) == {"one"}
    death.set_result(-9)
    await sandbox.aclose()
    theirs.close()


async def test_a_sandbox_that_closes_its_control_socket_is_killed() -> None:
    ours, theirs = wire.pair()
    killed = asyncio.Event()
    death: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    sandbox = Sandbox(SPEC, ours, 4711, death, killed.set)
    theirs.close()
    async with asyncio.timeout(10):
        await killed.wait()
    death.set_result(-9)
    assert await sandbox.wait() == "pid 1 was killed by SIGKILL."
    await sandbox.aclose()
