"""Starting, signalling and clearing processes."""

import asyncio
import contextlib
import os
import signal

from tests.integration.sandbox.house import INSIDE, House, ask, begin, children, refused, run
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Command, Entry, Limits

STANDARD = (1 << 31) - 1
"""The bits of all signals but the real-time ones, of which libc keeps two to itself."""


async def _alone(sandbox: Sandbox) -> bool:
    """Whether nothing runs but pid 1 and who asks, once pid 1 has collected who ended just now."""
    for _ in range(100):
        _, text = await run(sandbox, Command(("ls", "/proc")))
        if sum(name.isdigit() for name in text.split()) == 2:
            return True
    return False


async def test_exit_codes_and_signals_are_reported(house: House) -> None:
    async with await house.open() as sandbox:
        assert (await run(sandbox, "exit 7"))[0] == 7
        assert (await run(sandbox, "kill -9 $$"))[0] == -9
        assert await run(sandbox, "echo out; echo err >&2") == (0, "out\nerr\n")
        assert await run(sandbox, Entry(f"{INSIDE}:seven")) == (7, "")
        assert await run(sandbox, Entry(f"{INSIDE}:leave")) == (9, "")


async def test_an_entry_that_fails_says_why(house: House) -> None:
    async with await house.open() as sandbox:
        code, text = await run(sandbox, Entry(f"{INSIDE}:fail"))
    assert code == 1
    assert text.endswith("RuntimeError: planted failure\n")


async def test_descriptors_are_placed_at_the_numbers_asked_for(house: House) -> None:
    async with await house.open() as sandbox:
        for what in (Entry(f"{INSIDE}:swap"), Command(("/bin/sh", "-c", "printf three >&3; printf four >&4"))):
            first, second = os.pipe(), os.pipe()
            process = await sandbox.start(what, fds={3: second[1], 4: first[1]})
            assert await process.wait() == 0
            assert (os.read(first[0], 9), os.read(second[0], 9)) == (b"four", b"three")
            for fd in (*first, *second):
                os.close(fd)


async def test_what_cannot_be_started_is_said_and_harms_nothing(house: House) -> None:
    async with await house.open() as sandbox:
        cases: list[tuple[Entry | Command, dict[str, object], type[Exception], str]] = [
            (Command(("nonesuch",)), {}, FileNotFoundError, "nonesuch"),
            (Command(("/etc/passwd",)), {}, PermissionError, "/etc/passwd"),
            (Command(("true",)), {"cwd": "/nowhere"}, FileNotFoundError, "/nowhere"),
            (Command(("true",)), {"env": {"A=B": "1"}}, ValueError, "environment"),
            (Command(("true", "x" * 200_000)), {}, ValueError, "bytes"),
            (Command(("true",)), {"fds": {99: 1}}, ValueError, "31"),
            (Entry("nonesuch:main"), {}, ValueError, "not preloaded"),
            (Entry(f"{INSIDE}:nonesuch"), {}, ValueError, "no function nonesuch"),
        ]
        for what, wanted, kind, words in cases:
            start = sandbox.start(what, **wanted)  # type: ignore[arg-type]  # a table of keyword arguments
            assert words in str(await refused(start, kind))
        assert (await run(sandbox, "true"))[0] == 0


async def test_fifty_commands_at_once(house: House) -> None:
    async with await house.open() as sandbox:
        results = await asyncio.gather(*(run(sandbox, f"echo {number}; exit {number}") for number in range(50)))
        assert results == [(number, f"{number}\n") for number in range(50)]
        assert await _alone(sandbox)


async def test_a_signal_reaches_the_whole_group(house: House) -> None:
    async with await house.open() as sandbox:
        process, output = await begin(sandbox, "sleep 1000 & echo up; wait")
        assert await output.readline() == b"up\n"
        await process.signal(signal.SIGTERM)
        assert await process.wait() == -signal.SIGTERM
        assert await output.read() == b""  # the sleeper had the same pipe
        await process.signal(signal.SIGKILL)  # nobody is there any more, and nothing happens
        with contextlib.suppress(ValueError):
            await process.signal(4711)
        assert await _alone(sandbox)


async def test_signals_that_the_worker_was_started_to_ignore_are_not_ignored_inside(house: House) -> None:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGQUIT)}
    try:
        async with House.standing(house.folder) as other, await other.open() as sandbox:
            _, command = await run(sandbox, Command(("grep", "SigIgn", "/proc/self/status")))
            assert int(command.split()[1], 16) & STANDARD == await ask(sandbox, "ignored") & STANDARD == 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def test_an_entry_can_be_killed_as_soon_as_it_is_started(house: House) -> None:
    async with await house.open() as sandbox:
        for _ in range(20):
            process = await sandbox.start(Entry(f"{INSIDE}:wait_for_signal"))
            await process.signal(signal.SIGKILL)
            assert await process.wait() == -signal.SIGKILL


async def test_orphans_are_reaped(house: House) -> None:
    async with await house.open() as sandbox:
        await ask(sandbox, "orphans")
        await sandbox.clear()
        assert await _alone(sandbox)
        assert children(sandbox.pid) == []


async def test_clear_kills_everything_and_the_sandbox_goes_on(house: House) -> None:
    async with await house.open() as sandbox:
        process, output = await begin(sandbox, "sleep 1000")
        assert await ask(sandbox, "daemons") == "left"
        assert not await _alone(sandbox)
        await sandbox.clear()
        assert await process.wait() == -signal.SIGKILL
        assert await output.read() == b""
        assert await _alone(sandbox)
        await sandbox.clear()


async def test_clear_removes_what_processes_share_and_leave_behind(house: House) -> None:
    async with await house.open() as sandbox, await house.open() as other:
        for _ in range(2):
            assert await ask(sandbox, "leave_shared") == [True, True, True, "EPERM"]
            assert await ask(sandbox, "shared") == [1] * 3
            assert await ask(other, "shared") == [0] * 3
            await sandbox.clear()
            assert await ask(sandbox, "shared") == [0] * 3


async def test_a_start_that_nobody_waits_for_leaves_nothing(house: House) -> None:
    async with await house.open() as sandbox:
        starts = [asyncio.ensure_future(sandbox.start(Command(("sleep", "1000")))) for _ in range(10)]
        await asyncio.sleep(0)
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        while not await _alone(sandbox):
            pass


async def test_a_flood_of_output_holds_up_nobody_else(house: House) -> None:
    async with await house.open() as sandbox:
        reader, writer = os.pipe()
        process = await sandbox.start(Entry(f"{INSIDE}:flood"), fds={1: writer})
        os.close(writer)
        assert (await run(sandbox, "echo still here")) == (0, "still here\n")
        os.close(reader)
        assert await process.wait() in {1, -signal.SIGPIPE}


async def test_too_many_processes_is_said_and_can_be_cleared(house: House) -> None:
    async with await house.open(limits=Limits(processes=8)) as sandbox:
        with contextlib.suppress(SandboxUnavailable):
            for _ in range(10):
                await sandbox.start(Command(("sleep", "1000")))
            raise AssertionError("ten processes in a sandbox of eight")
        await sandbox.clear()
        assert (await run(sandbox, "true"))[0] == 0


async def test_pid_one_shrugs_off_what_a_process_sends_it(house: House) -> None:
    async with await house.open() as sandbox:
        _, text = await run(sandbox, "for s in INT TERM HUP USR1 CHLD SEGV KILL STOP; do kill -$s 1; done; echo alive")
        assert text.endswith("alive\n")
        assert (await run(sandbox, "true"))[0] == 0


async def test_a_reader_that_is_gone_is_an_error_of_the_process_alone(house: House) -> None:
    async with await house.open() as sandbox:
        reader, writer = os.pipe()
        os.close(reader)
        process = await sandbox.start(Command(("cat", "/dev/zero")), fds={1: writer})
        os.close(writer)
        assert await process.wait() == -signal.SIGPIPE
