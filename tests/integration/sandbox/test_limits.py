"""Bounds of a whole sandbox: by groups of the kernel where the host has them, else by what is left, and said."""

import asyncio
import os
import signal
from pathlib import Path

from tests.integration.sandbox.house import DEADLINE_SECONDS, INSIDE, House, ask, begin, run
from workers.sandbox import namespaces
from workers.sandbox.cgroups import PREFIX, Groups
from workers.sandbox.launcher import Launcher
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Command, Entry, Limits

MEMORY = 256 << 20


def groups(zygote: int) -> list[Path]:
    """List what groups of sandboxes there are where this host has them."""
    parents = set(Groups.find(zygote).parents.values())
    return [path for parent in parents for path in parent.glob(f"{PREFIX}.*.{zygote}.*")]


def grouped(sandbox: Sandbox, controller: str) -> bool:
    detail = sandbox.report.layer("limits").detail
    return detail.startswith("cgroup") and controller in detail.partition(")")[0]


async def gone(zygote: int) -> None:
    """Wait until no group is left."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while groups(zygote):
            await asyncio.to_thread(os.sched_yield)


async def test_the_report_names_what_bounds_the_sandbox(house: House) -> None:
    async with await house.open(limits=Limits(memory_bytes=MEMORY, cpu=0.5)) as sandbox:
        layer = sandbox.report.layer("limits")
        assert layer.detail.startswith(("cgroup v2 (", "cgroup v1 (", "rlimits"))
        for controller, words in (("memory", "memory by address space"), ("cpu", "cpu not bounded")):
            assert grouped(sandbox, controller) != (words in layer.detail)
        whole = grouped(sandbox, "memory") and grouped(sandbox, "cpu")
        assert layer.state == ("enforced" if whole else "partial")
        assert whole or "Delegate=yes" in layer.hint
    async with await house.open() as sandbox:
        assert (sandbox.report.layer("limits").state, sandbox.report.layer("limits").detail) == ("enforced", "rlimits")


async def test_one_process_cannot_take_more_memory_than_the_sandbox_has(house: House) -> None:
    async with await house.open(limits=Limits(memory_bytes=MEMORY)) as sandbox, await house.open() as other:
        code, text = await run(sandbox, Entry(f"{INSIDE}:gorge"))
        assert code == -signal.SIGKILL or int(text) <= MEMORY >> 20
        assert (await run(sandbox, "true"))[0] == 0
        assert (await run(other, "true"))[0] == 0


async def test_many_processes_cannot_either(house: House) -> None:
    limits = Limits(memory_bytes=MEMORY, processes=200)
    async with await house.open(limits=limits) as sandbox, await house.open() as other:
        process, output = await begin(sandbox, Entry(f"{INSIDE}:eat"))
        assert await output.readexactly(8) == b'"eating"'
        most = 0
        async with asyncio.timeout(DEADLINE_SECONDS):
            while sandbox.usage().memory_bytes < MEMORY * 3 // 4:
                await asyncio.to_thread(os.sched_yield)
        for _ in range(100):  # it goes on eating, and gets no further
            most = max(most, sandbox.usage().memory_bytes)
            await asyncio.sleep(0.01)
        assert most < 3 * MEMORY  # of 5 GiB that it would be; what forks share is counted for each
        assert sandbox.ended is None
        assert (await run(other, "true"))[0] == 0
        await process.signal(signal.SIGKILL)
        await sandbox.clear()
        assert (await run(sandbox, "true"))[0] == 0


async def test_shared_memory_counts_as_well(house: House) -> None:
    async with await house.open(limits=Limits(memory_bytes=MEMORY)) as sandbox:
        for hoard in ("hoard_segments", "hoard_shared"):
            code, text = await run(sandbox, Entry(f"{INSIDE}:{hoard}"), env={"BYTES": str(MEMORY)})
            assert code == -signal.SIGKILL or text in {'"no more"', str(-signal.SIGKILL)}
            await sandbox.clear()
        assert (await run(sandbox, "true"))[0] == 0


async def test_files_in_memory_are_refused_where_no_group_counts_them(house: House) -> None:
    async with await house.open(limits=Limits(memory_bytes=MEMORY)) as sandbox:
        counted = grouped(sandbox, "memory")
        assert await ask(sandbox, "remember") == ("succeeded: None" if counted else "EPERM")
        assert ("no files in memory" in sandbox.report.layer("limits").detail) != counted
    async with await house.open() as sandbox:
        assert await ask(sandbox, "remember") == "succeeded: None"


async def test_processors_are_shared_out(house: House) -> None:
    async with await house.open(limits=Limits(cpu=0.25)) as sandbox:
        spent = await ask(sandbox, "spin")
        assert sandbox.usage().cpu_micros > spent * 500_000
        if grouped(sandbox, "cpu"):
            assert spent < 0.6
            assert (await run(sandbox, "true"))[0] == 0


async def test_a_fork_bomb_is_bounded_in_a_group_too(house: House) -> None:
    async with await house.open(limits=Limits(processes=30, cpu=1.0)) as sandbox, await house.open() as other:
        assert 20 <= await ask(sandbox, "fork_until_refused") < 30
        assert 20 <= sandbox.usage().processes <= 30
        assert (await run(other, "true"))[0] == 0
        await sandbox.clear()
        assert (await run(sandbox, "true"))[0] == 0


async def test_what_a_sandbox_uses_can_be_asked_while_it_lives(house: House) -> None:
    async with await house.open() as sandbox:
        idle = sandbox.usage()
        assert idle.processes == 1
        process, output = await begin(sandbox, "sleep 1000 & echo up; wait")
        await output.readline()
        assert sandbox.usage().processes == 3
        await process.signal(signal.SIGKILL)
        await ask(sandbox, "spin")
        assert sandbox.usage().cpu_micros > idle.cpu_micros
        assert idle.memory_bytes < 64 << 20
    assert sandbox.usage().processes == 0


async def test_groups_go_with_their_sandboxes(house: House) -> None:
    bounded, zygote = Limits(memory_bytes=MEMORY, cpu=0.5), house.launcher.pid
    async with await house.open(limits=bounded) as sandbox:
        await sandbox.start(Command(("sleep", "1000")))
        assert bool(groups(zygote)) == bool(Groups.find(zygote).serving(bounded))
        os.kill(sandbox.pid, signal.SIGKILL)
        await sandbox.wait()
        await gone(zygote)
    async with await Launcher.start((INSIDE,)) as launcher:
        await launcher.open(house.spec(limits=bounded))
    assert groups(launcher.pid) == []


async def test_a_group_that_a_crash_has_left_is_swept(house: House) -> None:
    found = Groups.find(house.launcher.pid)
    namespace = int(namespaces.identities()["pid"].strip("pid:[]"))
    for parent in set(found.parents.values()):
        left = [parent / f"{PREFIX}.{namespace}.{pid}.17.9.box" for pid in (house.launcher.pid, 4_194_304)]
        other = parent / f"{PREFIX}.{namespace + 1}.4194304.17.9.box"
        mine = parent / f"{found.owner}.9.box"
        for folder in (*left, other, mine):
            folder.mkdir()
        try:
            async with await Launcher.start():
                assert [folder.exists() for folder in (*left, other, mine)] == [False, False, True, True]
        finally:
            other.rmdir()
            mine.rmdir()
