"""People's commands in real sandboxes: streams, terminals, signals, bounds, and that nothing outlives its caller."""

import asyncio
import hashlib
import io
import os
import signal
import tarfile
from pathlib import Path

import pytest

from signet.v1 import sandboxes_pb2
from tests.fakes.relay import Call
from tests.unit.life.conftest import Lodge
from workers import caller
from workers.streams import WAITING_BYTES

SIZE = sandboxes_pb2.TerminalSize(rows=24, columns=80)


def dead(pid: int) -> bool:
    """Whether a process of the host is gone, or only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


async def test_a_command_has_its_streams_and_its_exit_code(lodge: Lodge) -> None:
    call = await lodge.run(
        "/bin/sh", "-c", "cat; echo $NAME; pwd; echo problem >&2; exit 7", env={"NAME": "value"}, folder="/usr/lib"
    )
    await call.say(stdin=b"in\n")
    await call.say(stdin_end=True)
    exited = await call.end()
    assert (exited.code, exited.detail) == (7, "")
    assert (call.out.decode(), call.err.decode()) == ("in\nvalue\n/usr/lib\n", "problem\n")


async def test_a_sandbox_is_opened_once_and_named(lodge: Lodge) -> None:
    first = await lodge.run("/bin/cat")
    answer = await first.hear()
    name = f"sandboxes/here.{lodge.pool.cells[0].sandbox.name}"
    assert answer
    assert answer.exec.started == name
    second = await lodge.run("true")
    answer = await second.hear()
    assert answer
    assert answer.exec.started == name
    third = await lodge.run("/bin/echo", "by name", target=name)
    assert (await third.end()).code == 0
    assert third.out == b"by name\n"


async def test_megabytes_go_through_unchanged_in_both_directions(lodge: Lodge) -> None:
    data = os.urandom(5_000_000)
    call = await lodge.run("/bin/cat")

    async def feed() -> None:
        for start in range(0, len(data), 250_000):
            await call.say(stdin=data[start : start + 250_000])
        await call.say(stdin_end=True)

    feeding = asyncio.create_task(feed())
    assert (await call.end()).code == 0
    await feeding
    assert hashlib.sha256(call.out).digest() == hashlib.sha256(data).digest()
    assert call.largest <= 256 * 1024


async def test_output_that_nobody_takes_holds_up_the_command(lodge: Lodge) -> None:
    call = await lodge.run("/bin/sh", "-c", "head -c 200000000 /dev/zero; touch through")
    started = await call.hear()
    assert started
    await (await lodge.run("true")).end()  # others go on
    async with asyncio.timeout(30):
        while not call.outward.full():  # noqa: ASYNC110 - nobody tells a test
            await asyncio.sleep(0.01)
    assert not (lodge.workspace / "through").exists()
    assert (await call.end()).code == 0
    assert len(call.out) == 200_000_000
    assert (lodge.workspace / "through").exists()


async def test_what_a_command_does_not_read_is_bounded_and_a_signal_still_arrives(lodge: Lodge) -> None:
    call = await lodge.run("/bin/sleep", "1000")
    for _ in range(WAITING_BYTES // 250_000):
        await call.say(stdin=bytes(250_000))
    await call.say(signal=signal.SIGTERM)
    assert (await call.end()).code == 128 + signal.SIGTERM


async def test_a_terminal_has_its_size_and_changes_it(lodge: Lodge) -> None:
    call = await lodge.run("/bin/sh", terminal=SIZE)
    await call.say(stdin=b"stty size; echo $TERM\n")
    await call.until(b"24 80")
    await call.until(b"xterm-256color")
    await call.say(resize=sandboxes_pb2.TerminalSize(rows=50, columns=132))
    await call.say(stdin=b"stty size\n")
    await call.until(b"50 132")
    await call.say(resize=sandboxes_pb2.TerminalSize(rows=0, columns=9999))
    await call.say(stdin=b"stty size; exit 3\n")
    assert (await call.end()).code == 3
    assert call.out.count(b"50 132") == 2


async def test_the_key_that_interrupts_does_so(lodge: Lodge) -> None:
    call = await lodge.run("/bin/bash", "--norc", "--noediting", terminal=SIZE, env={"PS1": "ready> "})
    await call.until(b"ready> ")
    await call.say(stdin=b"cat\n")
    await call.until(b"cat\r\n")
    await call.say(stdin=b"word\n")
    await call.until(b"word\r\nword\r\n")  # as it was typed, and from cat
    await call.say(stdin=b"\x03")
    await call.until(b"^C\r\nready> ")
    await call.say(stdin=b"echo code $?\n")
    await call.until(b"code 130")
    await call.say(stdin=b"\x04")
    assert (await call.end()).code == 0


async def test_no_command_is_a_shell(lodge: Lodge) -> None:
    call = await lodge.run(terminal=SIZE)
    await call.say(stdin=b"echo $((6 * 7))\nexit\n")
    assert (await call.end()).code == 0
    assert b"42" in call.out


async def test_a_signal_reaches_the_whole_group(lodge: Lodge) -> None:
    call = await lodge.run("/bin/sh", "-c", "sleep 1000 & echo begun; wait")
    await call.until(b"begun")
    await call.say(signal=999)  # there is none
    await call.say(signal=signal.SIGKILL)
    exited = await call.end()
    assert exited.code == 137
    assert (await lodge.sh("ps ax 2>/dev/null | grep -c '[s]leep 1000'"))[1].strip() in ("0", "")


async def test_time_that_is_over_kills_and_says_so(lodge: Lodge) -> None:
    exited = await (await lodge.run("/bin/sleep", "1000", max_seconds=1)).end()
    assert exited.code == 137
    assert "max_seconds" in exited.detail


async def test_twenty_commands_run_at_once(lodge: Lodge) -> None:
    """Each waits for all the others, so none could end if they ran one after another."""
    line = "touch here-$0; while [ $(ls | grep -c here-) -lt 20 ]; do sleep 0.05; done; echo $0"
    calls = [await lodge.run("/bin/sh", "-c", line, str(number)) for number in range(20)]
    exits = await asyncio.gather(*(call.end() for call in calls))
    assert [exited.code for exited in exits] == [0] * 20
    assert [call.out.decode().strip() for call in calls] == [str(number) for number in range(20)]
    assert len(lodge.pool.cells) == 1


async def test_whoever_leaves_takes_the_command_along(lodge: Lodge) -> None:
    call = await lodge.run("/bin/sh", "-c", "echo begun; sleep 1000")
    await call.until(b"begun")
    await call.leave()
    await lodge.idle()
    assert await running(lodge) == 1


async def test_whoever_leaves_beside_others_takes_the_own_command_along_alone(lodge: Lodge) -> None:
    other = await lodge.run("/bin/cat")
    await other.hear()
    call = await lodge.run("/bin/sh", "-c", "sleep 1000 & echo begun; wait")
    await call.until(b"begun")
    assert await running(lodge) == 4
    await call.leave()
    async with asyncio.timeout(30):
        while await running(lodge) > 2:  # noqa: ASYNC110 - nobody tells a test
            await asyncio.sleep(0.01)
    await other.say(stdin=b"still here")
    await other.until(b"still here")


async def test_whoever_leaves_a_terminal_takes_its_jobs_along(lodge: Lodge) -> None:
    call = await lodge.run("/bin/bash", "--norc", terminal=SIZE)
    await call.say(stdin=b"sleep 1000 & sleep 2000 & setsid sleep 3000 & echo be''gun\n")
    await call.until(b"begun")
    await call.leave()
    await lodge.idle()
    assert await running(lodge) == 1


async def test_whoever_leaves_a_command_that_reads_nothing_takes_it_along(
    lodge: Lodge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that is full tells its end to nobody: it has to be asked for."""
    monkeypatch.setattr(caller, "STUCK_SECONDS", 0.2)
    call = await lodge.run("/bin/sleep", "1000")
    await call.hear()

    async def flood() -> None:
        while True:
            await call.inward.put(sandboxes_pb2.ExecSandboxRequest(stdin=bytes(250_000)))

    flooding = asyncio.create_task(flood())
    async with asyncio.timeout(30):
        while lodge.relay.asked < 3:  # noqa: ASYNC110 - nobody tells a test
            await asyncio.sleep(0.01)
    assert not lodge.pool.cells[0].idle
    await call.leave()
    await lodge.idle()
    flooding.cancel()
    assert await running(lodge) == 1


async def running(lodge: Lodge) -> int:
    """Count the processes of the sandbox, pid 1 among them."""
    return lodge.pool.cells[0].sandbox.usage().processes


async def test_orphans_do_not_hold_up_the_end_and_are_reaped(lodge: Lodge) -> None:
    """What is left in the background keeps the output open; the command has ended all the same."""
    line = "for i in 1 2 3 4 5; do (sleep 0.01 &) ; done; (sleep 1000 &); echo through"
    other = await lodge.run("/bin/cat")  # so that the sandbox is not cleaned behind the first
    await other.hear()
    assert await lodge.sh(line) == (0, "through\n")
    code, told = await lodge.sh("sleep 1; cat /proc/[0-9]*/stat | awk '$3==\"Z\"' | wc -l")
    assert (code, told.strip()) == (0, "0")
    await other.leave()
    await lodge.idle()
    assert await running(lodge) == 1


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"argv": ["no-such-program"]}, "FILE_NOT_FOUND"),
        ({"argv": ["true"], "folder": "/no/such"}, "FILE_NOT_FOUND"),
        ({"argv": ["/etc/passwd"]}, "POLICY_DENIED"),
        ({"argv": ["true"], "max_seconds": -1}, "INVALID_FIELD"),
        ({"argv": ["true"], "env": {"A=B": "c"}}, "INVALID_FIELD"),
        ({"argv": ["tr\0ue"]}, "INVALID_FIELD"),
        ({"argv": ["true", "x" * 200_000]}, "INVALID_FIELD"),
        ({"argv": ["true"], "terminal": sandboxes_pb2.TerminalSize(rows=0, columns=1)}, "INVALID_FIELD"),
    ],
)
async def test_what_cannot_be_run_is_refused_with_a_reason(lodge: Lodge, asked: dict[str, object], reason: str) -> None:
    call = lodge.call()
    await call.say(start=sandboxes_pb2.ExecStart(command=sandboxes_pb2.ExecCommand(**asked)))  # type: ignore[arg-type]  # a table of fields
    failure = await call.failure()
    assert failure.reason == reason
    assert failure.message


async def test_a_sandbox_that_is_not_there_is_refused(lodge: Lodge) -> None:
    for order in ({}, {"logs": True}):
        call = lodge.call("sandboxes/here.scribe-77", **order)
        if not order:
            await call.say(start=sandboxes_pb2.ExecStart(command=sandboxes_pb2.ExecCommand(argv=["true"])))
        assert (await call.failure()).reason == "SANDBOX_NOT_FOUND"


async def test_a_sandbox_that_is_stopped_ends_its_commands_and_says_so(lodge: Lodge) -> None:
    call = await lodge.run("/bin/sleep", "1000")
    await call.hear()
    ending = asyncio.create_task(call.end())
    assert await lodge.pool.stop(lodge.pool.cells[0].sandbox.name, force=False)
    exited = await ending
    assert exited.code == 137
    assert "stopped" in exited.detail


async def test_a_dead_sandbox_is_rebuilt_with_its_workspace_and_says_so(lodge: Lodge) -> None:
    call = await lodge.run("/bin/sh", "-c", "echo kept > note; sleep 1000")
    await call.hear()
    async with asyncio.timeout(30):
        while not (lodge.workspace / "note").exists():  # noqa: ASYNC110 - nobody tells a test
            await asyncio.sleep(0.01)
    old = lodge.pool.cells[0]
    os.kill(old.sandbox.pid, signal.SIGKILL)
    exited = await call.end()
    assert exited.code == 137
    assert "the sandbox is gone" in exited.detail
    assert await lodge.sh("cat note") == (0, "kept\n")
    new = lodge.pool.cells[-1]
    assert new.sandbox.name != old.sandbox.name
    (told,) = [line.text for line in new.logbook.lines if line.event == "rebuilt"]
    assert old.sandbox.name in told


async def test_a_worker_that_ends_tells_whoever_is_in_a_sandbox(lodge: Lodge) -> None:
    call = await lodge.run("/bin/sleep", "1000")
    await call.hear()
    reading = lodge.call(f"sandboxes/here.{lodge.pool.cells[0].sandbox.name}", logs=True, follow=True)
    await reading.hear()
    ending = asyncio.create_task(lodge.attach.aclose())
    exited = await call.end()
    assert exited.code == 137
    assert "the worker is ending" in exited.detail
    await lines(reading)
    await ending


async def test_a_folder_goes_in_and_comes_out(lodge: Lodge) -> None:
    data = os.urandom(3_000_000)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info = tarfile.TarInfo("notes/large.bin")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    call = lodge.call()
    await call.say(start=sandboxes_pb2.ExecStart(unpack="inbox"))

    async def feed() -> None:
        whole = made.getvalue()
        for start in range(0, len(whole), 200_000):
            await call.say(stdin=whole[start : start + 200_000])
        await call.say(stdin_end=True)

    feeding = asyncio.create_task(feed())
    assert (await call.end()).code == 0, call.err
    await feeding
    assert (lodge.workspace / "inbox/notes/large.bin").read_bytes() == data
    back = lodge.call()
    await back.say(start=sandboxes_pb2.ExecStart(pack="/workspace/inbox"))
    assert (await back.end()).code == 0
    with tarfile.open(fileobj=io.BytesIO(bytes(back.out))) as archive:
        assert archive.getnames() == ["inbox", "inbox/notes", "inbox/notes/large.bin"]


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (sandboxes_pb2.ExecStart(pack="missing"), "No such file"),
        (sandboxes_pb2.ExecStart(unpack="/usr/planted"), "Read-only file system"),
    ],
)
async def test_what_cannot_be_packed_or_unpacked_says_why(
    lodge: Lodge, start: sandboxes_pb2.ExecStart, told: str
) -> None:
    call = lodge.call()
    await call.say(start=start)
    await call.say(stdin_end=True)
    assert (await call.end()).code == 1
    assert told in call.err.decode()


async def lines(call: Call) -> list[str]:
    """Hear a log to its end."""
    events = []
    while answer := await call.hear():
        events.append(answer.log.event)
    return events


async def test_a_log_is_shown_and_followed(lodge: Lodge) -> None:
    assert (await (await lodge.run("true")).end()).code == 0
    await lodge.idle()
    cell = lodge.pool.cells[0]
    name = f"sandboxes/here.{cell.sandbox.name}"
    assert await lines(lodge.call(name, logs=True)) == ["opened", "visited", "left"]
    following = lodge.call(name, logs=True, follow=True)
    for _ in range(3):
        await following.hear()
    cell.logbook.write("policy_loaded", "anything")
    answer = await following.hear()
    assert answer
    assert answer.log.event == "policy_loaded"
    assert answer.log.time.seconds > 0
    await lodge.pool.stop(cell.sandbox.name, force=True)
    await lines(following)  # which ends with its sandbox
