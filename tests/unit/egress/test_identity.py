"""A connection's programs are told by who holds it, all of them, and by content as well as by path."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.egress.conftest import Sites, network
from tests.unit.egress.way import Way
from workers.sidecars.egress.identity import UNKNOWN, Identity

HOLD = "import sys; sys.stdin.read()"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Connect two ends; this process holds both."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        served, _ = listener.accept()
        with client, served:
            yield client, served


def program(name: str) -> str:
    """Give the path of a program, as the kernel shows it."""
    return str(Path(shutil.which(name) or "").resolve())


def look(identity: Identity, served: socket.socket) -> tuple[str, ...]:
    return identity.look(served.getpeername(), served.getsockname()).programs


def here() -> str:
    return str(Path("/proc/self/exe").readlink())


def test_the_holder_is_found(ends: tuple[socket.socket, socket.socket]) -> None:
    assert look(Identity(os.getpid()), ends[1]) == (here(),)


def test_every_holder_counts(ends: tuple[socket.socket, socket.socket]) -> None:
    """A descriptor that was passed on makes both programs its owners."""
    cat = program("cat")
    with subprocess.Popen([cat], stdin=subprocess.PIPE, pass_fds=[ends[0].fileno()]):
        assert look(Identity(os.getpid()), ends[1]) == tuple(sorted((here(), cat)))


def test_a_holder_outside_the_sandbox_is_unknown(ends: tuple[socket.socket, socket.socket]) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE) as other:
        assert look(Identity(other.pid), ends[1]) == ()


def test_a_connection_that_nobody_holds_is_unknown(ends: tuple[socket.socket, socket.socket]) -> None:
    identity = Identity(os.getpid())
    assert identity.look(("127.0.0.1", 1), ends[1].getsockname()) is UNKNOWN
    assert Identity(2**22 + 1).look(ends[1].getpeername(), ends[1].getsockname()) is UNKNOWN


def test_a_program_that_changed_under_its_path_is_unknown(
    ends: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    """It was trusted as what it was when it was first seen."""
    changing = tmp_path / "program"
    identity = Identity(os.getpid())
    os.set_inheritable(ends[0].fileno(), True)
    seen = []
    for source in ("cat", "sleep", "cat"):
        changing.unlink(missing_ok=True)
        shutil.copy(program(source), changing)
        arguments = ["60"] if source == "sleep" else []
        holder = subprocess.Popen([changing, *arguments], stdin=subprocess.PIPE, pass_fds=[ends[0].fileno()])
        with holder:
            found = identity.look(ends[1].getpeername(), ends[1].getsockname())
            seen.append((str(changing) in found.programs, found.shown == f"changed: {changing}"))
            holder.kill()
    assert seen == [(True, False), (False, True), (True, False)]


async def test_a_rule_for_programs_lets_those_through_and_no_others(way: Way, site: Sites) -> None:
    here = await site()
    curl = program("curl")
    await way.load(network(here.port).replace("}]}}", f"}}], binaries: [{curl}]}}}}"))
    code, out, err = await way.curl(f"http://site.test:{here.port}/")
    assert (code, out) == (0, "hello from the site\n"), err
    assert (await way.told(verdict="allow"))["binary"] == curl
    answer = await way.raw(f"CONNECT site.test:{here.port} HTTP/1.1\r\nHost: site.test:{here.port}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert "python" in (await way.told(verdict="deny"))["binary"]


async def test_looking_does_not_stop_others(ends: tuple[socket.socket, socket.socket]) -> None:
    """It is done beside the loop that moves the bytes."""
    identity = Identity(os.getpid())
    looking = asyncio.create_task(identity.owners(ends[1].getpeername(), ends[1].getsockname()))
    await asyncio.sleep(0)
    assert not looking.done()
    assert (await looking).programs
