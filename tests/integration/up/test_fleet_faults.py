"""Whatever is killed comes back, whatever does not stay up is named, and the fleet goes on."""

import asyncio
import os
import select
import signal
from contextlib import suppress
from pathlib import Path

from signet.up.memory import descendants, parents
from tests.fakes.provider import FakeProvider
from tests.harness.command import signet
from tests.harness.fleet import Fleet

NAMES = ("router", "control", "worker", "web")
_GONE_SECONDS = 30


async def pids(fleet: Fleet) -> dict[str, int]:
    """Give the pid of every program."""
    return {shown["name"]: shown["pid"] for shown in (await fleet.status())["processes"]}


async def said(fleet: Fleet, text: str) -> None:
    """Wait until `signet up` has printed this."""
    async with asyncio.timeout(_GONE_SECONDS):
        while text not in fleet.up.said:  # noqa: ASYNC110 - it prints, it does not call
            await asyncio.sleep(0.02)


def below(pid: int) -> list[int]:
    """Open every process below one, to wait for its end; one that ended meanwhile is not there."""
    opened = []
    for one in descendants(pid, parents()):
        if one != pid:
            with suppress(ProcessLookupError):
                opened.append(os.pidfd_open(one))
    return opened


def gone(descriptor: int) -> bool:
    """Wait for the end of a process that is no child of ours."""
    ended, _, _ = select.select([descriptor], [], [], _GONE_SECONDS)
    os.close(descriptor)
    return bool(ended)


async def test_each_program_that_is_killed_comes_back_and_the_next_run_succeeds() -> None:
    async with FakeProvider() as fake, Fleet(provider=fake.base_url, model="fake-small") as fleet:
        for name in NAMES:
            before = await pids(fleet)
            await fleet.restart(name)
            after = await pids(fleet)
            assert {other for other in NAMES if after[other] != before[other]} == {name}, "the others went on"
            run = await fleet.client.runs.create("assistant", f"after {name}")
            run = await fleet.client.runs.wait(run.name, timeout_seconds=60)
            assert run.output == f"You said: after {name}", run.error


async def test_a_program_that_does_not_stay_up_is_named_with_its_own_words_and_the_others_go_on(folder: Path) -> None:
    fleet = Fleet(folder=folder, environment={"SIGNET_WEB_STREAMS": "0"})
    await fleet.up.start()
    try:
        await said(fleet, "does not stay up")
        assert "web: streams must be at least 1" in fleet.up.said
        assert str(fleet.home.logs / "web.log") in fleet.up.said
        for name in ("control", "router", "worker"):
            await fleet.back(name)
        states = {shown["name"]: shown["state"] for shown in (await fleet.status())["processes"]}
        assert states == {"control": "ready", "router": "ready", "worker": "ready", "web": "looping"}
    finally:
        assert await fleet.up.stop() == 0


async def test_a_supervisor_that_is_killed_takes_all_with_it_and_the_next_one_finds_everything(folder: Path) -> None:
    async with FakeProvider() as fake:
        async with Fleet(provider=fake.base_url, model="fake-small", folder=folder) as fleet:
            run = await fleet.client.runs.create("assistant", "before")
            await fleet.client.runs.wait(run.name, timeout_seconds=60)
            left = below(fleet.up.pid)
            assert len(left) >= len(NAMES)
            fleet.up.send(signal.SIGKILL)
            assert await fleet.up.wait() == -signal.SIGKILL
            for descriptor in left:
                assert await asyncio.to_thread(gone, descriptor)
            assert fleet.home.socket("up.sock").exists(), "left behind"
        async with Fleet(provider=fake.base_url, model="fake-small", folder=folder) as fleet:
            assert (await fleet.client.runs.get(run.name)).output == "You said: before"
            run = await fleet.client.runs.create("assistant", "after")
            assert (await fleet.client.runs.wait(run.name, timeout_seconds=60)).output == "You said: after"


async def test_one_signal_stops_all_in_reverse_order_and_leaves_nothing(folder: Path) -> None:
    async with Fleet(folder=folder) as fleet:
        left = below(fleet.up.pid)
        fleet.up.send(signal.SIGINT)
        assert await fleet.up.wait() == 0
        for descriptor in left:
            assert await asyncio.to_thread(gone, descriptor)
        assert fleet.up.said.rstrip().endswith("Stopped.")
        assert not fleet.home.socket("up.sock").exists()


async def test_a_second_signal_stops_at_once_what_the_first_one_waits_for(folder: Path) -> None:
    """The first program hangs, so the others are not asked in turn: they leave what they would have removed."""
    async with Fleet(folder=folder) as fleet:
        os.kill((await pids(fleet))["web"], signal.SIGSTOP)
        fleet.up.send(signal.SIGINT)
        await said(fleet, "once more stops at once")
        fleet.up.send(signal.SIGINT)
        assert await fleet.up.wait() == 0
        assert fleet.home.socket("control.sock").exists(), "control did not get to tidy up"


async def test_a_second_up_says_who_holds_the_folder_and_how_it_is(folder: Path) -> None:
    async with Fleet(folder=folder) as fleet:
        again = await signet("up", "--data", str(fleet.home.root))
        assert again.code == 6
        assert f"already (pid {fleet.up.pid})" in again.err
        assert all(name in again.out for name in NAMES)


async def test_a_fleet_is_left_running_asked_how_it_is_and_stopped(folder: Path) -> None:
    data = str(folder / "data")
    ports = ("--port", "0", "--control-port", "0", "--router-port", "0")
    try:
        started = await signet("up", "--data", data, "--detach", "--no-embedded", *ports)
        assert started.code == 0, started
        assert all(f"{name:<8} ready" in started.err for name in NAMES)
        again = await signet("up", "--data", data, "--detach")
        assert again.code == 0, "what was asked for is there"
        status = await signet("status", "--data", data, "-o", "json")
        assert status.code == 0
        for key in ('"running": true', '"pss_bytes"', '"addresses"', '"restarts": 0'):
            assert key in status.out
    finally:
        stopped = await signet("down", "--data", data)
    assert stopped.code == 0
    assert (await signet("status", "--data", data)).code == 5
    assert (await signet("down", "--data", data)).code == 0, "it is as was asked"
