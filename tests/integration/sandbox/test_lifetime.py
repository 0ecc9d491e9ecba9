"""How sandboxes, their launcher and their sidecars end."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path

from tests.integration.sandbox.house import (
    DEADLINE_SECONDS,
    INSIDE,
    House,
    begin,
    children,
    polls,
    refused,
    run,
    waiting,
)
from workers.sandbox import namespaces
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher
from workers.sandbox.spec import Command, Entry

_VICTIM = str(Path(__file__).with_name("victim.py"))
_ROOT = str(Path(__file__).parents[3])


async def _death(pidfd: int) -> None:
    """Wait until the process of a pidfd is dead."""
    dead = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(pidfd, dead.set)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await dead.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


async def test_everything_dies_with_the_worker(house: House) -> None:
    argv = [sys.executable, "-I", _VICTIM, _ROOT, str(house.folder)]
    worker = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    assert worker.stdout
    async with asyncio.timeout(DEADLINE_SECONDS):
        pids = json.loads(await worker.stdout.readline())
    assert set(pids) == {"zygote", "sandbox", "inside", "sidecar"}
    watched = [os.pidfd_open(pid) for pid in pids.values()]
    worker.kill()
    await asyncio.gather(*map(_death, watched))
    assert await worker.wait() == -signal.SIGKILL


async def test_a_crash_of_pid_one_is_reported_and_ends_what_ran(house: House) -> None:
    async with await house.open() as sandbox:
        process, output = await begin(sandbox, "echo up; sleep 1000")
        await output.readline()
        os.kill(sandbox.pid, signal.SIGKILL)
        assert await sandbox.wait() == "pid 1 was killed by SIGKILL."
        assert sandbox.ended == "pid 1 was killed by SIGKILL."
        assert await process.wait() == -signal.SIGKILL
        for attempt in (sandbox.start(Command(("true",))), sandbox.clear()):
            error = await refused(attempt, SandboxUnavailable)
            assert error.layer == "init"
            assert "killed by SIGKILL" in error.reason


async def test_what_ended_before_a_crash_keeps_its_exit_code(house: House) -> None:
    for _ in range(20):
        async with await house.open() as sandbox:
            process = await sandbox.start(Command(("/bin/sh", "-c", "exit 3")))
            while children(sandbox.pid) or not polls(sandbox.pid):
                pass  # until it is reaped and told, without this loop reading it
            os.kill(sandbox.pid, signal.SIGKILL)
            assert await process.wait() == 3


async def test_a_zygote_that_dies_takes_its_sandboxes_along_and_says_so(house: House) -> None:
    async with await Launcher.start((INSIDE,)) as launcher:
        sandbox = await launcher.open(house.spec())
        process = await sandbox.start(Command(("sleep", "1000")))
        pid_one = os.pidfd_open(sandbox.pid)
        os.kill(launcher.pid, signal.SIGKILL)
        await launcher.wait()
        await _death(pid_one)
        assert await process.wait() == -signal.SIGKILL
        assert await sandbox.wait() == "pid 1 was killed by SIGKILL."
        assert (await refused(launcher.open(house.spec()), SandboxUnavailable)).layer == "zygote"


async def test_closing_kills_what_runs(house: House) -> None:
    sandbox = await house.open(listeners={"inference": ("127.0.0.2", 80)})
    process = await sandbox.start(Command(("sleep", "1000")))
    pid_one = os.pidfd_open(sandbox.pid)
    await sandbox.aclose()
    assert await process.wait() == -signal.SIGKILL
    assert sandbox.ended == "closed."
    assert sandbox.listeners["inference"].fileno() == -1
    await _death(pid_one)
    await sandbox.aclose()


def mounted(folder: Path) -> list[str]:
    """List the mounts of the host, but for those that other tests make in temporary folders of their own."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    targets = [Path(line.split()[4]) for line in lines]
    temporary = folder.parent
    return [str(path) for path in targets if temporary not in path.parents or path.is_relative_to(folder)]


async def test_opening_and_closing_leaks_nothing(house: House) -> None:
    listeners = {"inference": ("127.0.0.2", 80)}
    await (await house.open(listeners=listeners)).aclose()

    def footprint() -> list[object]:
        zygote = house.launcher.pid
        held = [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in (os.getpid(), zygote)]
        return [held, children(zygote), mounted(house.folder)]

    await waiting(house)
    before = footprint()
    for _ in range(100):
        async with await house.open(listeners=listeners) as sandbox:
            process = await sandbox.start(Command(("sleep", "1000")))
        assert process.code == -signal.SIGKILL
    await waiting(house)
    assert footprint() == before
    assert {path.name.rpartition("-")[0] for path in house.folder.iterdir()} == {"workspace"}


async def test_an_opening_that_is_cancelled_leaves_nothing(house: House) -> None:
    zygote = house.launcher.pid
    for turns in range(12):
        opening = asyncio.ensure_future(house.open())
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
    async with await house.open() as sandbox:
        assert (await run(sandbox, "true"))[0] == 0
    async with asyncio.timeout(DEADLINE_SECONDS):
        while children(zygote):
            await asyncio.to_thread(os.sched_yield)


async def test_many_open_at_once(house: House) -> None:
    sandboxes = await asyncio.gather(*(house.open() for _ in range(20)))
    assert await asyncio.gather(*(run(sandbox, "hostname") for sandbox in sandboxes)) == [
        (0, f"{sandbox.name}\n") for sandbox in sandboxes
    ]
    await asyncio.gather(*(sandbox.aclose() for sandbox in sandboxes))


async def test_a_sidecar_lives_on_the_host_with_its_descriptors_alone(house: House) -> None:
    os.environ["PLANTED_SECRET"] = "of the worker"
    ours, theirs = socket.socketpair()
    try:
        async with House.standing(house.folder) as fresh:
            process = await fresh.launcher.sidecar(f"{INSIDE}:sidecar", fds={3: theirs.fileno()}, env={"GIVEN": "1"})
            theirs.close()
            found = json.loads(await asyncio.to_thread(ours.recv, 65536))
            assert process.code is None
            ours.close()
            assert await process.wait() == 5
    finally:
        del os.environ["PLANTED_SECRET"]
    assert found["fds"] == [0, 1, 2, 3]
    assert found["net"] == namespaces.identities()["net"]
    assert found["session"] == process.pid
    assert found["env"] == {"GIVEN": "1", "FOR_SIDECARS": "1", "PATH": os.defpath, "LANG": "C.UTF-8"}


async def test_a_sidecar_that_nobody_waits_for_does_not_live(house: House) -> None:
    for turns in range(10):
        start = asyncio.ensure_future(house.launcher.sidecar(f"{INSIDE}:endless"))
        for _ in range(turns):
            await asyncio.sleep(0)
        start.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await start).signal(signal.SIGKILL)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while children(house.launcher.pid):
            await asyncio.to_thread(os.sched_yield)


async def test_a_sidecar_can_be_signalled_and_one_that_is_unknown_is_refused(house: House) -> None:
    process = await house.launcher.sidecar(f"{INSIDE}:endless")
    await process.signal(signal.SIGTERM)
    assert await process.wait() == -signal.SIGTERM
    assert "not preloaded" in (await refused(house.launcher.sidecar("nonesuch:main"), SandboxUnavailable)).reason


async def test_two_sandboxes_share_a_workspace(house: House) -> None:
    spec = house.spec()
    async with await house.launcher.open(spec) as one, await house.launcher.open(spec) as other:
        assert await run(one, "echo shared > a") == (0, "")
        assert await run(other, "cat a") == (0, "shared\n")
        assert (await run(one, Entry(f"{INSIDE}:seven")))[0] == 7
