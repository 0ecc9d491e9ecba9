"""What every kind of sandbox does, whichever driver opens it: our own launcher, gVisor, a container engine."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.engines import Engines
from workers.drivers.container import Container
from workers.drivers.gvisor import Gvisor
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.spec import Command, Entry, Spec
from workers.sandbox.surroundings import environment
from workers.sandbox.terminal import Terminal

PRELOAD = ("workers.tools.host",)
DRIVERS = ("native", "gvisor", "container")
MIB = 1 << 20

Open = Callable[..., Any]


@asynccontextmanager
async def opened(driver: str, spec: Spec) -> AsyncIterator[Sandbox]:
    """Open a sandbox by a driver, and close all of it."""
    if driver == "native":
        async with await Launcher.start(PRELOAD) as launcher, await launcher.open(spec) as sandbox:
            yield sandbox
    else:
        other = Gvisor(PRELOAD) if driver == "gvisor" else Container(PRELOAD)
        async with await other.open(spec) as sandbox:
            yield sandbox


def spec(folder: Path, **more: Any) -> Spec:
    """Describe a sandbox over a workspace of its own host uid."""
    workspace = folder / "workspace"
    workspace.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        os.chown(workspace, 200_077, 200_077)
    listeners: Mapping[str, tuple[str, int]] = {"inference": ("127.0.0.2", 80)}
    return Spec(name="conform-1", workspace=workspace, host_uid=200_077, listeners=listeners, **more)


@pytest.fixture(params=DRIVERS)
async def sandbox(request: pytest.FixtureRequest, engines: Engines, tmp_path: Path) -> AsyncIterator[Sandbox]:
    """Give a sandbox of each driver that this machine has been set up with."""
    engines.need(request.param)
    async with opened(request.param, spec(tmp_path)) as box:
        yield box


async def said(sandbox: Sandbox, script: str, stdin: bytes = b"") -> tuple[int, bytes]:
    """Run a script with pipes; its exit code and output."""
    reading, out = os.pipe()
    source, feed = os.pipe()
    process = await sandbox.start(Command(("/bin/sh", "-c", script)), fds={0: source, 1: out, 2: out})
    os.close(source)
    os.close(out)
    _, output = await asyncio.gather(asyncio.to_thread(_feed, feed, stdin), asyncio.to_thread(_drain, reading))
    return await process.wait(), output


async def test_every_layer_that_it_reports_holds(sandbox: Sandbox) -> None:
    layers = {layer.name: layer for layer in sandbox.report.layers}

    assert {"user", "filesystem", "workspace", "network", "capabilities", "limits"} <= set(layers)
    assert not sandbox.report.missing()
    assert all(layer.detail for layer in layers.values())


async def test_output_errors_and_exit_code_come_back(sandbox: Sandbox) -> None:
    assert await said(sandbox, "echo out; echo err >&2; exit 7") == (7, b"out\nerr\n")


@pytest.mark.parametrize("driver", DRIVERS)
async def test_files_home_and_environment_are_the_same_in_all(driver: str, engines: Engines, tmp_path: Path) -> None:
    engines.need(driver)
    given = tmp_path / "given"
    given.write_text("trust\n")
    described = spec(tmp_path, files={"/etc/signet/ca.pem": given}, workspace_mode="off", env={"MORE": "yes"})

    async with opened(driver, described) as box:
        code, output = await said(box, 'cat /etc/signet/ca.pem; echo "$PATH:$HOME:$USER:$MORE"; echo > /workspace/x')

    words = environment(described)
    assert code != 0
    assert output.startswith(f"trust\n{words['PATH']}:/tmp:agent:yes\n".encode())


async def test_megabytes_pass_both_ways_unchanged(sandbox: Sandbox) -> None:
    body = os.urandom(MIB) * 5

    code, output = await said(sandbox, "cat", body)

    assert (code, output == body) == (0, True)


async def test_twenty_commands_run_at_once(sandbox: Sandbox) -> None:
    results = await asyncio.gather(*(said(sandbox, f"cat; echo {n}", b"x" * 10_000) for n in range(20)))

    assert results == [(0, b"x" * 10_000 + b"%d\n" % n) for n in range(20)]


async def test_a_slow_reader_holds_up_its_own_command_only(sandbox: Sandbox) -> None:
    reading, out = os.pipe()
    flood = await sandbox.start(Command(("/bin/sh", "-c", "cat /dev/zero")), fds={1: out})
    os.close(out)

    assert await said(sandbox, "echo beside") == (0, b"beside\n")

    await flood.signal(signal.SIGKILL)
    assert await flood.wait() == -signal.SIGKILL
    os.close(reading)


async def test_a_preloaded_entry_speaks_over_its_socket(sandbox: Sandbox) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await sandbox.start(Entry("workers.tools.host:main"), fds={3: theirs.fileno()})
    ask = '{"tool":"nothing-like-it","arguments":{},"limits":{"seconds":5,"output_bytes":1000}}\n'
    with ours:
        await asyncio.to_thread(ours.sendall, ask.encode())
        answer = await asyncio.to_thread(ours.recv, 65536)

    assert b"result" in answer
    assert await process.wait() == 0


async def test_its_listener_is_accepted_outside(sandbox: Sandbox) -> None:
    listener, loop = sandbox.listeners["inference"], asyncio.get_running_loop()

    async def answer() -> None:
        connection, _ = await loop.sock_accept(listener)
        with connection:
            await loop.sock_sendall(connection, b"pong " + await loop.sock_recv(connection, 100))

    serving = asyncio.create_task(answer())
    ask = "import socket; s=socket.create_connection(('127.0.0.2',80)); s.sendall(b'ping'); print(s.recv(99).decode())"
    code, output = await said(sandbox, f'python3 -c "{ask}"')
    await serving

    assert (code, output) == (0, b"pong ping\n")


async def test_a_connection_that_nobody_takes_ends(sandbox: Sandbox) -> None:
    sandbox.listeners["inference"].close()
    ask = "import socket; s=socket.create_connection(('127.0.0.2',80)); s.settimeout(20); print(s.recv(9))"

    code, output = await said(sandbox, f'python3 -c "{ask}" 2>/dev/null || echo refused')

    assert (code, output) in [(0, b"b''\n"), (0, b"refused\n")]


async def test_a_terminal_has_a_size_and_can_be_resized(sandbox: Sandbox) -> None:
    script = 'stty size; while [ "$(stty size)" = "24 80" ]; do sleep 0.1; done; stty size'
    process = await sandbox.start(Command(("/bin/sh", "-c", script)), terminal=Terminal(rows=24, columns=80))
    master = process.terminal
    assert master is not None
    os.set_blocking(master, True)
    first = await asyncio.to_thread(os.read, master, 100)
    process.resize(50, 132)
    rest = await asyncio.to_thread(_drain_terminal, master)

    assert first == b"24 80\r\n"
    assert rest.endswith(b"50 132\r\n")
    assert await process.wait() == 0


async def test_what_does_not_exist_is_said_so(sandbox: Sandbox) -> None:
    with pytest.raises(FileNotFoundError):
        await sandbox.start(Command(("no-such-program",)))


async def test_clear_kills_every_process_and_leaves_the_sandbox(sandbox: Sandbox) -> None:
    process = await sandbox.start(Command(("/bin/sh", "-c", "sleep 1000 & sleep 1000")))

    await sandbox.clear()

    assert await process.wait() == -signal.SIGKILL
    assert await said(sandbox, "echo alive") == (0, b"alive\n")


async def test_nothing_is_left_of_orphans_once_it_is_cleared(sandbox: Sandbox) -> None:
    count = "set -- /proc/[0-9]*; echo $#"
    alone = await said(sandbox, count)
    for _ in range(5):
        orphans = "i=0; while [ $i -lt 30 ]; do sleep 1000 & i=$((i+1)); done; echo up; exec sleep 1000"
        reading, writing = os.pipe()
        await sandbox.start(Command(("/bin/sh", "-c", f"({orphans}) & wait")), fds={1: writing})
        os.close(writing)
        with os.fdopen(reading, "rb") as output:
            assert await asyncio.to_thread(output.readline) == b"up\n"

        await sandbox.clear()

        assert await said(sandbox, count) == alone


async def test_what_it_writes_belongs_to_its_host_uid(sandbox: Sandbox) -> None:
    code, _ = await said(sandbox, "echo kept > /workspace/kept")

    written = sandbox.spec.workspace / "kept"
    assert (code, written.read_text()) == (0, "kept\n")
    if os.geteuid() == 0:
        assert written.stat().st_uid == 200_077


async def test_its_temporary_folder_is_its_own_and_bounded(sandbox: Sandbox) -> None:
    limit = sandbox.spec.limits.tmp_bytes

    assert await said(sandbox, "echo x > /tmp/x && cat /tmp/x") == (0, b"x\n")
    code, _ = await said(sandbox, f"head -c {limit + MIB} /dev/zero > /tmp/full 2>/dev/null")
    assert code != 0


async def test_nothing_of_the_host_is_reached(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as host:
        port = host.getsockname()[1]
        reach = f"import socket; socket.create_connection(('127.0.0.1', {port}), 3)"
        code, _ = await said(sandbox, f'python3 -c "{reach}" 2>/dev/null')
        host.settimeout(0)

        assert code != 0
        with pytest.raises(BlockingIOError):
            host.accept()
    assert (await said(sandbox, "cat /etc/shadow; ls /root/.ssh /proc/1/root/etc/signet-host"))[0] != 0


async def test_a_closed_sandbox_is_gone_with_all_its_processes(sandbox: Sandbox) -> None:
    process = await sandbox.start(Command(("sleep", "1000")))

    await sandbox.aclose()

    assert await process.wait() == -signal.SIGKILL
    with pytest.raises(SandboxUnavailable):
        await sandbox.start(Command(("true",)))


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("mode", "seen"), [("read-only", b"text\nno\n"), ("off", b"no\n")])
async def test_a_workspace_may_be_read_only_or_not_there(
    driver: str, mode: str, seen: bytes, engines: Engines, tmp_path: Path
) -> None:
    engines.need(driver)
    wanted = spec(tmp_path, workspace_mode=mode)
    (wanted.workspace / "file").write_text("text\n")
    async with opened(driver, wanted) as box:
        _, output = await said(box, "cat /workspace/file 2>/dev/null; echo x 2>/dev/null > /workspace/new || echo no")

    assert output.replace(b"sh: 1: cannot create /workspace/new: Read-only file system\n", b"") == seen


@pytest.mark.parametrize("driver", ["gvisor", "container"])
async def test_a_host_without_the_engine_refuses_with_the_reason(
    driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    other = Gvisor(()) if driver == "gvisor" else Container(())

    with pytest.raises(SandboxUnavailable, match="not on the PATH") as refused:
        await other.open(spec(tmp_path))

    assert refused.value.layer == driver
    assert other.check()


def _feed(fd: int, body: bytes) -> None:
    with open(fd, "wb") as pipe:
        pipe.write(body)


def _drain(fd: int) -> bytes:
    with open(fd, "rb") as pipe:
        return pipe.read()


def _drain_terminal(fd: int) -> bytes:
    """Read until the terminal hangs up."""
    output = b""
    while True:
        try:
            output += os.read(fd, 4096)
        except OSError:
            return output
