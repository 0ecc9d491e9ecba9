"""How a sandbox learns of its own end, with the test as its pid 1."""

import asyncio
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
