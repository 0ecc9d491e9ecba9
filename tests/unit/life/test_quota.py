"""The bound of a workspace: everything is killed beyond it, nothing hides from it, and it can be made room again."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from signet.v1 import sandboxes_pb2
from tests.unit.life.conftest import Lodge
from workers.measure import MOST_DEPTH, Measure
from workers.quota import Guard, Quota
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Command

SMALL = "version: 1\nresources: {disk: 16MiB}\n"
FILL = "for n in 1 2 3 4 5 6 7 8; do head -c 4000000 /dev/zero > f$n; done; "
HIDE = 'for n in 3 4 5 6 7 8; do eval "exec $n>f"; head -c 4000000 /dev/zero >&$n; rm f; done; '
MAP = """
import ctypes, os, time
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
for n in range(8):
    fd = os.open("f", os.O_RDWR | os.O_CREAT)
    os.truncate(fd, 4000000)
    ctypes.memset(libc.mmap(None, 4000000, 3, 1, fd, 0), 120, 4000000)
    os.close(fd)
    os.unlink("f")
time.sleep(1000)
"""


@pytest.mark.parametrize(
    "argv",
    [
        ["/bin/sh", "-c", FILL + "sleep 1000"],
        ["/bin/sh", "-c", HIDE + "sleep 1000"],
        ["/bin/sh", "-c", "(" + FILL + "setsid sleep 1000) & sleep 1000"],
        ["python3", "-c", MAP],
    ],
    ids=["files", "deleted files that are open", "in the background", "deleted files that are mapped"],
)
async def test_whatever_fills_the_disk_is_killed_and_told(lodge: Lodge, argv: list[str]) -> None:
    lodge.policy = SMALL
    call = await lodge.run(*argv)
    exited = await call.end()
    assert exited.code == 137
    assert "16 MiB is the most" in exited.detail
    assert "signet shell" in exited.detail
    await lodge.idle()
    cell = lodge.pool.cells[0]
    assert cell.sandbox.usage().processes == 1
    assert "disk" in [line.event for line in cell.logbook.lines]
    assert cell.sandbox.ended is None


async def test_what_is_too_much_already_can_be_removed_but_not_grow(lodge: Lodge) -> None:
    lodge.policy = SMALL
    assert (await lodge.sh("true"))[0] == 0
    for number in range(10):
        path = lodge.workspace / f"old{number}"
        path.write_bytes(bytes(4_000_000))
        os.chown(path, lodge.workspace.stat().st_uid, -1)
    await lodge.idle()
    quota = lodge.pool.cells[0].quota
    assert await lodge.sh("sleep 0.6; echo small > note; rm old0; sleep 0.6; echo through") == (0, "through\n")
    assert quota.used.bytes > 16 << 20
    call = await lodge.run("/bin/sh", "-c", "sleep 0.6;" + FILL + "sleep 1000")
    assert "is the most" in (await call.end()).detail
    assert await lodge.sh("rm old* f*; echo through") == (0, "through\n")
    await settled(lodge)
    assert quota.used.bytes < 1 << 20


async def settled(lodge: Lodge) -> None:
    """Wait for the last look behind whoever left."""
    quota = lodge.pool.cells[0].quota
    if quota._watching:
        await asyncio.wait([quota._watching])


@asynccontextmanager
async def watched(sandbox: Sandbox, told: list[str], **bounds: int) -> AsyncIterator[Guard]:
    quota = Quota(sandbox, told=told.append, **bounds)
    try:
        async with quota.guard() as guard:
            yield guard
    finally:
        await quota.aclose()


async def ended(sandbox: Sandbox, line: str) -> int:
    process = await sandbox.start(Command(("/bin/sh", "-c", line)))
    async with asyncio.timeout(30):
        return await process.wait()


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("for i in $(seq 150); do : > n$i; done; sleep 1000", "more than 100 files"),
        (f"for i in $(seq {MOST_DEPTH + 10}); do mkdir d; cd d; done; sleep 1000", f"more than {MOST_DEPTH} deep"),
    ],
)
async def test_files_and_depth_are_bounded_as_well(lodge: Lodge, line: str, what: str) -> None:
    await lodge.sh("true")
    sandbox, told = lodge.pool.cells[0].sandbox, list[str]()
    inodes = 100 if "files" in what else 100_000
    async with watched(sandbox, told, most_bytes=0, most_inodes=inodes) as guard:
        assert await ended(sandbox, line) == -9
    assert what in guard.problem
    assert told == [guard.problem]
    async with watched(
        sandbox, told, most_bytes=0, most_inodes=inodes
    ) as guard:  # it is there still: no run may be in it
        assert await ended(sandbox, "sleep 1000") == -9


async def test_links_lead_out_of_no_count_and_names_of_one_file_count_once(lodge: Lodge) -> None:
    await lodge.sh("ln -s / all; head -c 1000000 /dev/zero > a; ln a b; ln a c")
    quota = lodge.pool.cells[0].quota
    used = await quota.look()
    assert used.inodes == 2
    assert 1_000_000 <= used.bytes < 1_100_000


async def test_a_look_at_many_files_keeps_nobody_waiting_and_can_be_broken_off(tmp_path: Path) -> None:
    for folder in range(20):
        (tmp_path / str(folder)).mkdir()
        for number in range(200):
            (tmp_path / str(folder) / str(number)).touch()
    looking = asyncio.create_task(asyncio.to_thread(Measure(tmp_path, os.getpid(), 10_000).run))
    turns = 0
    while not looking.done():
        turns += 1
        await asyncio.sleep(0)
    assert (await looking).inodes >= 4020
    assert turns > 100
    broken = Measure(tmp_path, os.getpid(), 10_000)
    broken.stop()
    assert broken.run().inodes < 100


async def test_a_run_and_a_person_are_watched_by_the_same_look(lodge: Lodge) -> None:
    lodge.policy = SMALL
    call = await lodge.run("/bin/sleep", "1000")
    await call.hear()
    async with lodge.pool.cells[0].quota.guard() as run:
        other = await lodge.run("/bin/sh", "-c", FILL + "sleep 1000")
        for one in (call, other):
            exited: sandboxes_pb2.ExecExit = await one.end()
            assert "is the most" in exited.detail
        assert "is the most" in run.problem
