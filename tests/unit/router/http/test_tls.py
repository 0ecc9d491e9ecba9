"""TLS is spoken with who shows who it is, and with nobody else."""

from pathlib import Path

import pytest

from router.wire import Fault, Request, Target, WireError
from tests.unit.router.http.certified import certified
from tests.unit.router.http.served import ASKED, HI, OK, Peer, answering, ask, client, serving, silence


async def test_tls_is_spoken_and_kept(tmp_path: Path) -> None:
    server, trusting = certified(tmp_path, "localhost")
    spoken: list[str | None] = []

    async def script(peer: Peer) -> None:
        spoken.append(peer.writer.get_extra_info("ssl_object").selected_alpn_protocol())
        for _ in range(3):
            await peer.request()
            await peer.send(HI)
        await silence(peer)

    async with serving(script, tls=server) as served, client(tls=trusting) as wire:
        for _ in range(3):
            assert await ask(wire, served) == b"hi"
        assert len(served.peers) == 1
        assert spoken == ["http/1.1"]


async def test_a_large_request_and_answer_go_over_tls_whole(tmp_path: Path) -> None:
    server, trusting = certified(tmp_path, "localhost")
    said = OK + b"content-length: 8000000\r\n\r\n" + b"y" * 8_000_000
    async with serving(answering(said, then=silence), tls=server) as served, client(tls=trusting) as wire:
        assert await ask(wire, served, Request("/chat", b"x" * 8_000_000)) == b"y" * 8_000_000
        assert len(served.asked[0][2]) == 8_000_000


@pytest.mark.parametrize("case", ["wrong name", "unknown authority", "no tls"])
async def test_a_server_that_cannot_show_who_it_is_is_told_nothing(tmp_path: Path, case: str) -> None:
    name = "other.test" if case == "wrong name" else "localhost"
    server, trusting = certified(tmp_path, name)
    context = None if case == "no tls" else server
    async with serving(answering(HI), tls=context) as served, client(
        tls=None if case == "unknown authority" else trusting, connect_seconds=0.5 if case == "no tls" else 5.0
    ) as wire:  # fmt: skip
        target = Target(served.base_url.replace("http:", "https:").replace("127.0.0.1", "localhost"), key="sk-secret")
        with pytest.raises(WireError) as caught:
            await wire.open(target, ASKED)
        assert caught.value.fault is Fault.UNREACHABLE
        assert ("certificate" in str(caught.value)) == (case != "no tls")
        assert not served.asked


async def test_a_caller_that_leaves_a_tls_stream_closes_it_at_once(tmp_path: Path) -> None:
    server, trusting = certified(tmp_path, "localhost")
    said = OK + b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"
    async with serving(answering(said, then=silence), tls=server) as served, client(tls=trusting) as wire:
        answer = await wire.open(served.target, ASKED)
        assert await answer.read() == b"hi"
        await answer.aclose()
        await served.until(lambda seen: seen.over == 1)


async def test_a_handshake_that_stalls_is_given_up() -> None:
    async with serving(silence) as served, client(connect_seconds=0.2) as wire:
        with pytest.raises(WireError, match="in time"):
            await wire.open(Target(served.base_url.replace("http:", "https:")), ASKED)
        await served.until(lambda seen: seen.over == 1)
