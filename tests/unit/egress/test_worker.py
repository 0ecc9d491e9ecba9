"""The worker's end: a sidecar is there when something wants out, and again after it died, under the same policy."""

import asyncio
import contextlib
import os
import select
import signal
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from signet.kit.log import get
from signet.policy import canonical
from signet.policy.decide import Attempt, Decision
from signet.policy.document import parse
from tests.unit.egress.conftest import Sites, network
from tests.unit.egress.way import run
from workers.authority import Authority
from workers.egress import PRELOAD, Decided, Egress, EgressRefused
from workers.placeholders import Placeholders
from workers.sandbox.launcher import Launcher
from workers.sandbox.process import Process


@dataclass(frozen=True)
class Box:
    """What of a sandbox counts here: clients are children of this process."""

    name: str = "box-1"
    pid: int = os.getpid()


@dataclass
class Rig:
    launcher: Launcher
    egress: Egress
    listener: socket.socket
    authority: Authority
    decided: list[Decided]
    forked: list[int]
    asked: list[Attempt] = field(default_factory=list)

    async def load(self, text: str) -> int:
        document = canonical.dump(parse(f"version: 1\n{text}"))
        return await self.egress.load(document, [], door="unix:/nowhere", secrets_token="", run="runs/1")

    async def curl(self, url: str) -> tuple[int, str, str]:
        proxy = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        return await run("curl", "-sS", "--noproxy", "", "-x", proxy, "--cacert", str(self.authority.bundle), url)

    def children(self) -> list[int]:
        """Give the sidecars that live."""
        pid = self.launcher.pid
        living = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [child for child in self.forked if str(child) in living]


@pytest.fixture
async def rig(tmp_path: Path, outside: Authority, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    decided: list[Decided] = []
    forked: list[int] = []
    asked: list[Attempt] = []

    async def ask(attempt: Attempt, decision: Decision) -> str:
        assert decision.ask
        asked.append(attempt)
        return "approvals/a7"

    async with await Launcher.start([PRELOAD]) as launcher:
        fork = launcher.sidecar

        async def noted(target: str, **more: Any) -> Process:
            process = await fork(target, **more)
            forked.append(process.pid)
            return process

        monkeypatch.setattr(launcher, "sidecar", noted)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            authority = Authority.make(tmp_path / "inside.pem", "box-1", roots=outside.bundle)
            egress = Egress(
                launcher,
                Box(),
                listener,
                authority,
                get("test"),
                placeholders=Placeholders(),
                decided=decided.append,
                ask=ask,
            )
            yield Rig(launcher, egress, listener, authority, decided, forked, asked)
            await egress.aclose()


def local(port: int, more: str = "") -> str:
    return network(port, more, host="localhost")


async def test_it_is_forked_when_something_wants_out(rig: Rig, site: Sites) -> None:
    here = await site()
    await rig.load(local(here.port))
    assert rig.children() == []
    code, out, err = await rig.curl(f"http://localhost:{here.port}/x")
    assert (code, out) == (0, "hello from the site\n"), err
    assert len(rig.children()) == 1
    assert rig.decided[0].verdict == "allow"
    assert (rig.decided[0].method, rig.decided[0].path, rig.decided[0].address) == ("GET", "/x", "127.0.0.1")


async def test_it_ends_tls_with_certificates_of_the_workers_authority(rig: Rig, site: Sites) -> None:
    here = await site(tls="localhost")
    await rig.load(local(here.port, ", access: read-only"))
    code, out, err = await rig.curl(f"https://localhost:{here.port}/x")
    assert (code, out) == (0, "hello from the site\n"), err


async def test_one_that_died_is_forked_again_under_the_same_policy(rig: Rig, site: Sites) -> None:
    here = await site()
    await rig.load(local(here.port))
    await rig.curl(f"http://localhost:{here.port}/")
    for round_ in (1, 2):
        for pid in rig.children():
            os.kill(pid, signal.SIGKILL)
        code, out, err = await rig.curl(f"http://localhost:{here.port}/")
        assert (code, out) == (0, "hello from the site\n"), err
        assert rig.egress.restarts == round_


@pytest.mark.parametrize("way", ["tunnel", "request"])
async def test_clients_that_hang_up_in_the_middle_of_an_answer_end_nothing_else(
    rig: Rig, site: Sites, way: str
) -> None:
    large = await site(lambda _: b"HTTP/1.1 200 OK\r\n\r\n" + bytes(20_000_000))
    here = await site()
    both = f"}}, {{host: localhost, port: {large.port}, allowed_ips: [127.0.0.1]"
    await rig.load(local(here.port, both))
    at = f"localhost:{large.port}"
    request = f"GET http://{at}/ HTTP/1.1\r\nHost: {at}\r\n\r\n"
    if way == "tunnel":
        request = f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n\0GET / HTTP/1.1\r\n\r\n"
    for size in range(1, 8):
        reader, writer = await asyncio.open_connection(*rig.listener.getsockname(), limit=1024)
        writer.write(request.encode())
        await reader.readexactly(size * 50)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    code, out, err = await rig.curl(f"http://localhost:{here.port}/")
    assert (code, out) == (0, "hello from the site\n"), err
    assert rig.egress.restarts == 0


async def test_a_policy_is_in_force_when_load_returns(rig: Rig, site: Sites) -> None:
    here = await site(greets=b"first")
    await rig.load(local(here.port))
    reader, writer = await asyncio.open_connection(*rig.listener.getsockname())
    at = f"localhost:{here.port}"
    writer.write(f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        await reader.readuntil(b"first")
        assert await rig.load("network: {}\n") == 1
        assert await reader.read() == b""
    writer.close()
    _, out, _ = await rig.curl(f"http://localhost:{here.port}/")
    assert "policy_denied" in out


async def test_a_bad_document_is_refused_and_the_last_good_one_stays(rig: Rig, site: Sites) -> None:
    here = await site()
    await rig.load(local(here.port))
    with pytest.raises(EgressRefused):
        await rig.egress.load("{}", [], door="", secrets_token="")
    code, _, err = await rig.curl(f"http://localhost:{here.port}/")
    assert code == 0, err


async def test_a_question_reaches_whoever_asks_people(rig: Rig) -> None:
    await rig.load("approvals: {network: ask}\n")
    _, out, _ = await rig.curl("http://new.test/")
    assert "approvals/a7" in out
    assert [(attempt.host, attempt.port) for attempt in rig.asked] == [("new.test", 80)]


async def test_who_loads_has_heard_what_was_decided_before(rig: Rig, site: Sites) -> None:
    here = await site()
    await rig.load(local(here.port))
    for number in range(20):
        await rig.curl(f"http://localhost:{here.port}/{number}")
    await rig.load("network: {}\n")
    assert {one.path for one in rig.decided} == {f"/{number}" for number in range(20)}


async def test_a_sandbox_may_close_its_listener_first(rig: Rig, site: Sites) -> None:
    """Whoever has the number of its descriptor after that is not taken for it."""
    here = await site()
    await rig.load(local(here.port))
    place = rig.listener.fileno()
    rig.listener.close()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert ours.fileno() == place
        heard = asyncio.Event()
        asyncio.get_running_loop().add_reader(ours, heard.set)
        theirs.send(b"x")
        async with asyncio.timeout(10):
            await heard.wait()
        asyncio.get_running_loop().remove_reader(ours)
    await rig.egress.aclose()
    await rig.egress.aclose()
    assert rig.children() == []


async def test_nothing_is_left_of_it_at_its_end(rig: Rig, site: Sites) -> None:
    here = await site()
    await rig.load(local(here.port))
    await rig.curl(f"http://localhost:{here.port}/")
    (pid,) = rig.children()
    await rig.egress.aclose()
    with contextlib.suppress(ProcessLookupError):  # reaped already
        fd = os.pidfd_open(pid)
        assert await asyncio.to_thread(select.select, [fd], [], [], 10) != ([], [], [])
        os.close(fd)
    _, writer = await asyncio.open_connection(*rig.listener.getsockname())
    await asyncio.sleep(0)
    assert not rig.egress._watched
    writer.close()
