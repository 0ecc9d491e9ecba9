"""Processes on a terminal of their own."""

import asyncio
import json
import os
import signal
from pathlib import Path

from tests.integration.sandbox.house import DEADLINE_SECONDS, INSIDE, House, ask, begin, refused, run
from workers.sandbox.mounts import TERMINALS
from workers.sandbox.process import Process
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Command, Entry
from workers.sandbox.terminal import Terminal

SIZE = Terminal(24, 80)


async def said(process: Process, until: bytes = b"") -> bytes:
    """Read what a process writes to its terminal, until it says something, else until it hangs up."""
    assert process.terminal is not None
    loop, text = asyncio.get_running_loop(), b""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not until or until not in text:
            readable = asyncio.Event()
            loop.add_reader(process.terminal, readable.set)
            await readable.wait()
            loop.remove_reader(process.terminal)
            try:
                text += os.read(process.terminal, 4096)
            except OSError:
                return text
    return text


async def on_terminal(sandbox: Sandbox, what: Entry | Command | str) -> Process:
    what = Command(("/bin/sh", "-c", what)) if isinstance(what, str) else what
    return await sandbox.start(what, terminal=SIZE)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def type_in(process: Process, text: bytes) -> None:
    assert process.terminal is not None
    os.write(process.terminal, text)


async def test_a_command_and_an_entry_have_a_controlling_terminal_of_that_size(house: House) -> None:
    async with await house.open() as sandbox:
        process = await on_terminal(
            sandbox, "tty; stty size; echo $TERM; ps -o tty= -p $$ 2>&1; : < /dev/tty && echo mine"
        )
        lines = (await said(process)).decode().splitlines()
        assert lines[:3] == ["/dev/pts/0", "24 80", "xterm-256color"]
        assert lines[-1] == "mine"
        assert await process.wait() == 0
        process.close()
        process = await on_terminal(sandbox, Entry(f"{INSIDE}:typist"))
        found = json.loads(await said(process))
        assert await process.wait() == 0
        process.close()
    assert found == {
        "mine": True,
        "size": [80, 24],
        "name": "/dev/pts/0",
        "tty": "succeeded: None",
        "type": "EPERM",
        "type into tty": "EPERM",
        "type, high bits": "EPERM",
    }


async def test_what_is_typed_is_read_echoed_and_edited(house: House) -> None:
    async with await house.open() as sandbox:
        process = await on_terminal(sandbox, "read line; echo got $line")
        type_in(process, b"wro\x7f\x7fhat\n")
        assert (await said(process)).endswith(b"got what\r\n")
        assert await process.wait() == 0


async def test_the_interrupt_key_reaches_the_foreground(house: House) -> None:
    async with await house.open() as sandbox:
        process = await on_terminal(sandbox, "trap 'exit 3' INT; echo up; while :; do sleep 0.01; done")
        await said(process, b"up")
        type_in(process, b"\x03")
        assert await process.wait() == 3


async def test_a_new_size_is_seen_and_told(house: House) -> None:
    async with await house.open() as sandbox:
        process = await on_terminal(sandbox, "trap 'stty size; exit 3' WINCH; echo up; while :; do sleep 0.01; done")
        await said(process, b"up")
        process.resize(50, 132)
        assert b"50 132" in await said(process)
        assert await process.wait() == 3
        for rows, columns in ((0, 80), (24, 70_000)):
            assert "1 to 65535" in str(await refused(asyncio.to_thread(process.resize, rows, columns), ValueError))
        process.close()
        process.close()


async def test_hanging_up_ends_what_uses_the_terminal(house: House) -> None:
    async with await house.open() as sandbox:
        process = await on_terminal(sandbox, "echo up; exec sleep 1000")
        await said(process, b"up")
        process.close()
        assert await process.wait() == -signal.SIGHUP


async def test_terminals_are_of_the_sandbox_alone_and_leak_nothing(house: House) -> None:
    async with await house.open() as sandbox, await house.open() as other:
        held = descriptors()
        for _ in range(20):
            process = await on_terminal(sandbox, "tty")
            assert await said(process) == b"/dev/pts/0\r\n"
            assert await process.wait() == 0
            process.close()
        assert descriptors() == held
        one = await on_terminal(sandbox, "echo up; cat")
        await said(one, b"up")
        assert await run(other, "ls /dev/pts") == (0, "ptmx\n")
        second = await on_terminal(sandbox, "tty")
        assert await said(second) == b"/dev/pts/1\r\n"
        one.close()


async def test_a_sandbox_has_no_more_terminals_than_are_its_own_to_have(house: House) -> None:
    async with await house.open() as sandbox, await house.open() as other:
        assert await ask(sandbox, "open_terminals") == TERMINALS
        process = await on_terminal(other, "tty")
        assert await said(process) == b"/dev/pts/0\r\n"
        process.close()


async def test_a_refused_start_and_one_that_is_cancelled_leave_no_terminal(house: House) -> None:
    async with await house.open() as sandbox:
        held = descriptors()
        await refused(sandbox.start(Command(("nonesuch",)), terminal=SIZE), FileNotFoundError)
        assert "0, 1 and 2" in str(
            await refused(sandbox.start(Command(("true",)), terminal=SIZE, fds={1: 1}), ValueError)
        )
        start = asyncio.ensure_future(sandbox.start(Command(("cat",)), terminal=SIZE))
        await asyncio.sleep(0)
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        await sandbox.clear()
        assert await run(sandbox, "ls /dev/pts") == (0, "ptmx\n")
        assert descriptors() == held


async def test_a_process_ends_when_its_time_is_over(house: House) -> None:
    async with await house.open() as sandbox:
        process = await sandbox.start(Command(("sleep", "1000")), seconds=0.01)
        assert await process.wait() == -signal.SIGKILL
        assert process.late
        process, _ = await begin(sandbox, "true", seconds=1000.0)
        assert await process.wait() == 0
        assert not process.late
