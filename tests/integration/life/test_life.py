"""Life in a sandbox, through the whole fleet: what people do in it, and what happens to it, ends well."""

import asyncio
import io
import os
import signal
import sys
import tarfile

import pytest

from signet.kit.errors import FailedPrecondition, NotFound
from signet.v1.runs_pb2 import RunState
from tests.integration.life.conftest import PATIENCE_SECONDS, Screen, Town, end, name_of

WRITE = 'CALL exec {"command": "echo kept > /tmp/note; echo kept > note; cat /proc/1/stat | cut -d\' \' -f22"}'
READ = 'CALL exec {"command": "cat /tmp/note; cat note"}'
FILL = 'CALL exec {"command": "for n in 1 2 3 4 5 6 7 8; do head -c 4000000 /dev/zero > f$n; done; sleep 1000"}'


async def test_a_person_has_a_terminal_pipes_and_many_commands_at_once(town: Town) -> None:
    boxes = town.fleet.client.sandboxes
    async with boxes.open(
        "assistant", ["/bin/bash", "--norc", "--noediting"], terminal=(24, 80), env={"PS1": "ready> "}
    ) as shell:
        screen = Screen(shell)
        await shell.write(b"stty size\n")
        await screen.until(b"24 80\r\n")
        await shell.resize(50, 132)
        await shell.write(b"stty size\n")
        await screen.until(b"50 132\r\nready> ")
        await shell.write(b"cat\n")
        await screen.until(b"cat\r\n")
        await shell.write(b"word\n")
        await screen.until(b"word\r\nword\r\n")  # as it was typed, and from cat
        await shell.write(b"\x03")
        await screen.until(b"ready> ")
        await shell.write(b"exit 5\n")
        async for _ in shell.pieces():
            continue
        assert shell.exit
        assert shell.exit.code == 5

    data = os.urandom(6_000_000)
    found = await boxes.run("assistant", ["/bin/cat"], stdin=data)
    assert (found.code, found.stdout == data) == (0, True)

    line = "touch here-$0; while [ $(ls | grep -c here-) -lt 20 ]; do sleep 0.05; done; echo $0"
    many = await asyncio.gather(*(boxes.run("assistant", ["/bin/sh", "-c", line, str(n)]) for n in range(20)))
    assert [one.stdout.decode().strip() for one in many] == [str(n) for n in range(20)]
    (sandbox,) = {one.sandbox for one in many}
    assert found.sandbox == sandbox
    shown = await boxes.get(sandbox)
    assert shown.agent == "agents/assistant"
    assert shown.isolation.layers
    assert (await town.events(sandbox))[:2] == ["opened", "visited"]
    with pytest.raises(NotFound):
        await boxes.run("assistant", ["no-such-program"])


async def test_a_caller_that_is_killed_takes_its_command_along(town: Town) -> None:
    command = "echo begun; exec sleep 4321"
    argv = [sys.executable, "-m", "signet.cli", "--data", str(town.fleet.home.root), "shell", "assistant", "--"]
    caller = await asyncio.create_subprocess_exec(
        *argv, "/bin/sh", "-c", command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    assert caller.stdout
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await caller.stdout.readline() == b"begun\n"
    assert len(await town.inside("sleep 4321")) == 1
    caller.kill()
    await caller.wait()

    async def gone() -> bool:
        return not await town.inside("sleep 4321")

    await town.until(gone)


async def test_folders_go_in_and_out_and_tricks_do_not(town: Town) -> None:
    boxes = town.fleet.client.sandboxes
    data = os.urandom(2_000_000)
    await boxes.unpack("assistant", "inbox", _tar(("notes/large", data)))
    back = b"".join([chunk async for chunk in boxes.pack("assistant", "inbox")])
    with tarfile.open(fileobj=io.BytesIO(back)) as archive:
        member = archive.extractfile("inbox/notes/large")
        assert member
        assert member.read() == data
    for name in ("../planted", "/workspace/planted", "a/../../planted"):
        with pytest.raises(FailedPrecondition, match="would leave the folder"):
            await boxes.unpack("assistant", "inbox", _tar((name, b"x")))
    with pytest.raises(FailedPrecondition, match="too early"):
        await boxes.unpack("assistant", "inbox", _tar(("half", b"x" * 5000))[:2000])
    with pytest.raises(NotFound, match="No such file"):
        _ = [chunk async for chunk in boxes.pack("assistant", "missing")]
    assert await town.sh("ls -R /tmp . | grep -c planted") == (1, "0\n")


def _tar(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


async def test_a_run_that_fills_its_workspace_fails_and_says_what_to_do(town: Town) -> None:
    await town.fleet.client.policies.apply("default", "version: 1\nresources: {disk: 16MiB}\n")
    run = await town.task(FILL)
    assert run.state == RunState.RUN_STATE_FAILED
    assert run.error.reason == "SANDBOX_FAILED"
    assert "16 MiB is the most" in run.error.message
    notices = [event.notice.code async for event in town.fleet.client.runs.watch(run.name) if event.HasField("notice")]
    assert "workspace_full" in notices
    assert await town.sh("rm f*; ls") == (0, "")
    assert (await town.task(READ)).state == RunState.RUN_STATE_SUCCEEDED


async def test_a_sandbox_is_stopped_and_by_force_where_somebody_is_in_it(town: Town) -> None:
    boxes = town.fleet.client.sandboxes
    run = await town.fleet.client.runs.create("assistant", 'CALL exec {"command": "touch begun; sleep 4323"}')

    async def begun() -> bool:
        return bool(await town.inside("sleep 4323"))

    await town.until(begun)
    async with boxes.open("assistant", ["/bin/sleep", "1000"]) as sleeping:
        assert (await town.sandbox()).name == sleeping.sandbox
        with pytest.raises(FailedPrecondition):
            await boxes.stop(sleeping.sandbox)
        await boxes.stop(sleeping.sandbox, force=True)
        async for _ in sleeping.pieces():
            continue
        assert sleeping.exit
        assert sleeping.exit.code == 137
        assert "stopped" in sleeping.exit.detail
    ended = await town.fleet.client.runs.wait(run.name, timeout_seconds=PATIENCE_SECONDS)
    assert (ended.state, ended.error.reason) == (RunState.RUN_STATE_FAILED, "SANDBOX_FAILED")

    async def gone() -> bool:
        return not await town.sandboxes()

    await town.until(gone)


async def test_a_dead_sandbox_is_rebuilt_with_its_workspace(town: Town) -> None:
    assert (await town.task(WRITE)).state == RunState.RUN_STATE_SUCCEEDED
    old = await town.sandbox()
    await town.idle()
    async with town.fleet.client.sandboxes.open("assistant", ["/bin/sleep", "4322"]) as sleeping:
        (pid,) = await town.inside("sleep 4322")
        end(_parent(pid), signal.SIGKILL)
        async for _ in sleeping.pieces():
            continue
        assert sleeping.exit
        assert "the sandbox is gone" in sleeping.exit.detail
    assert await town.sh("cat note; ls /tmp") == (0, "kept\n")

    async def another() -> bool:
        return (await town.sandbox()).name != old.name

    await town.until(another)
    assert "rebuilt" in await town.events((await town.sandbox()).name)


def _parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - no file
        return int(file.read().rpartition(")")[2].split()[1])


async def test_a_sandbox_outlives_its_sidecar(town: Town) -> None:
    assert (await town.task(WRITE)).state == RunState.RUN_STATE_SUCCEEDED
    before = await town.sandbox()
    sidecars = [pid for pid in await town.inside("") if name_of(pid) == "inference"]
    assert sidecars
    for pid in sidecars:
        end(pid, signal.SIGKILL)
    run = await town.task(READ)
    assert run.state == RunState.RUN_STATE_SUCCEEDED, run.error

    async def counted() -> bool:
        after = await town.sandbox()
        return after.name == before.name and after.sidecar_restarts > before.sidecar_restarts

    await town.until(counted)


async def test_a_worker_that_is_restarted_cleanly_keeps_its_warm_sandbox(town: Town) -> None:
    assert (await town.task(WRITE)).state == RunState.RUN_STATE_SUCCEEDED
    before = await town.sandbox()
    worker = await town.fleet.pid("worker")
    first = (await town.sh("cut -d' ' -f22 /proc/1/stat"))[1]
    end(worker, signal.SIGHUP)

    async def again() -> bool:
        return town.fleet.log("worker").count('"registered"') >= 2

    await town.until(again)
    assert await town.fleet.pid("worker") == worker
    assert (await town.fleet.program("worker"))["restarts"] == 0
    assert await town.sh("cut -d' ' -f22 /proc/1/stat; cat /tmp/note") == (0, f"{first}kept\n")
    run = await town.task(READ)
    assert run.state == RunState.RUN_STATE_SUCCEEDED, run.error
    after = await town.sandbox()
    assert after.name == before.name
    assert {"opened", "kept"} <= set(await town.events(after.name))
