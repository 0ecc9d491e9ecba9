"""The sandbox that is forked ahead of the wish for it: nobody can tell it from any other."""

import asyncio
import os
import signal

from tests.integration.sandbox.house import DEADLINE_SECONDS, House, run, waiting
from workers.sandbox import linux


async def _death(pidfd: int) -> None:
    """Wait until the process of a pidfd is dead."""
    loop, dead = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pidfd, dead.set)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await dead.wait()
    loop.remove_reader(pidfd)
    os.close(pidfd)


async def test_the_next_sandbox_is_the_one_that_waits(house: House) -> None:
    async with await house.open() as first:
        pid = await waiting(house)
        async with await house.open(tier="strict") as second:
            assert second.pid == pid
            for sandbox in (first, second):
                assert await run(sandbox, "hostname; pwd; touch a && ls") == (0, f"{sandbox.name}\n/workspace\na\n")
            names = [{layer.name: layer.state for layer in sandbox.report.layers} for sandbox in (first, second)]
            assert names[0] == names[1]


async def test_one_that_dies_is_not_missed(house: House) -> None:
    pidfd = os.pidfd_open(await waiting(house))
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    await _death(pidfd)
    for _ in range(3):
        async with await house.open() as sandbox:
            assert (await run(sandbox, "true"))[0] == 0


async def test_what_was_mounted_meanwhile_is_seen(house: House) -> None:
    if not house.launcher.as_root:  # who alone can mount
        return
    pid = await waiting(house)
    spec = house.spec()
    spec.workspace.mkdir()
    linux.call("mount", b"none", os.fsencode(spec.workspace), b"tmpfs", 0, b"size=1m,mode=777")
    try:
        (spec.workspace / "a").write_text("mounted")
        os.chown(spec.workspace, spec.host_uid or 0, spec.host_uid or 0)
        async with await house.launcher.open(spec) as sandbox:
            assert sandbox.pid != pid
            assert await run(sandbox, "cat a") == (0, "mounted")
    finally:
        linux.call("umount2", os.fsencode(spec.workspace), 2)


async def test_it_ends_with_the_zygote(house: House) -> None:
    async with House.standing(house.folder) as other:
        pidfd = os.pidfd_open(await waiting(other))
    await _death(pidfd)
