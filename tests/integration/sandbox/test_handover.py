"""Sandboxes outlive an exec of the process that has opened them."""

import asyncio
import json
import os
import select
import sys
from pathlib import Path
from typing import Any

from tests.integration.sandbox.house import DEADLINE_SECONDS, INSIDE, House, refused, run
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.handover import Handover
from workers.sandbox.launcher import Launcher
from workers.sandbox.spec import Limits

_SUCCESSOR = str(Path(__file__).with_name("successor.py"))
_ROOT = str(Path(__file__).parents[3])


async def test_another_program_in_the_same_process_goes_on_with_them(house: House) -> None:
    argv = [sys.executable, "-I", _SUCCESSOR, _ROOT, str(house.folder)]
    worker = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(DEADLINE_SECONDS):
        output, _ = await worker.communicate()
    before, after = map(json.loads, output.splitlines())
    assert worker.returncode == 0
    assert before == {"zygote": after["zygote"], "boxes": after["boxes"], "code": -9, "left": [], "fds": 7}
    assert (after["running"], after["cleared"]) == (3, 1)
    assert after["kept"] == [0, "kept\n"]
    assert after["converse"] == "you said: hello from inside"
    assert after["third"] == [0, "box-3\n"]
    assert after["listeners"] == ["egress", "inference"]
    assert (after["two"], after["one"], after["end"]) == ("closed.", None, "pid 1 was killed by SIGKILL.")
    assert (after["groups"], after["children"]) == ([], [])
    assert set(after["layers"]) <= {"enforced", "partial"}


async def _standing(house: House) -> tuple[Launcher, Any]:
    launcher = await Launcher.start((INSIDE,))
    return launcher, await launcher.open(house.spec(limits=Limits(cpu=1.0)))


async def test_a_program_that_could_not_exec_adopts_them_itself(house: House) -> None:
    launcher, sandbox = await _standing(house)
    handover = await launcher.handover()
    await refused(sandbox.clear(), SandboxUnavailable)
    await launcher.aclose()  # which is of no consequence any more
    async with Launcher.adopt(handover) as again:
        assert (again.pid, again.sandboxes[sandbox.name].pid) == (launcher.pid, sandbox.pid)
        assert await run(again.sandboxes[sandbox.name], "echo still here") == (0, "still here\n")


async def test_another_version_of_the_programs_ends_them(house: House) -> None:
    launcher, sandbox = await _standing(house)
    handover = await launcher.handover()
    zygote, pid_one = os.pidfd_open(launcher.pid), os.pidfd_open(sandbox.pid)
    other = Handover({**handover.state, "version": "other"}, handover.fds)
    error = await refused(asyncio.to_thread(Launcher.adopt, other), SandboxUnavailable)
    assert error.layer == "handover"
    await asyncio.to_thread(os.waitid, os.P_PIDFD, zygote, os.WEXITED)
    poller = select.poll()
    poller.register(pid_one, select.POLLIN)
    assert await asyncio.to_thread(poller.poll, DEADLINE_SECONDS * 1000)
    os.close(zygote)
    os.close(pid_one)


async def test_a_zygote_that_dies_in_between_is_seen_by_who_adopts(house: House) -> None:
    launcher, _ = await _standing(house)
    handover = await launcher.handover()
    os.kill(launcher.pid, 9)
    async with Launcher.adopt(handover) as again:
        await again.wait()
        assert (await refused(again.open(house.spec()), SandboxUnavailable)).layer == "zygote"


async def test_nothing_is_handed_over_while_something_is_opened(house: House) -> None:
    launcher, _ = await _standing(house)
    async with launcher:
        opening = asyncio.ensure_future(launcher.open(house.spec()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (await refused(launcher.handover(), SandboxUnavailable)).layer == "handover"
        assert (await opening).ended is None
