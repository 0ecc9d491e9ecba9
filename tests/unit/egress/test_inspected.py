"""A connection that is looked into: both sides verified, HTTP/1.1 alone, request by request."""

import asyncio
import hashlib
import ssl

import pytest

from tests.fakes.site import Asked, plain
from tests.unit.egress.conftest import Sites, network
from tests.unit.egress.way import Way
from workers.authority import Authority


async def looked(way: Way, at: str, protocols: list[str]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a tunnel and speak TLS in it, trusting the sandbox's authority alone."""
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    writer.write(f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    context = ssl.create_default_context(cafile=str(way.authority.bundle))
    context.set_alpn_protocols(protocols)
    await writer.start_tls(context, server_hostname=at.rpartition(":")[0])
    return reader, writer


async def test_the_client_sees_the_authoritys_certificate_and_http_1_alone(way: Way, site: Sites) -> None:
    here = await site(tls="site.test")
    await way.load(network(here.port, ", tls: terminate"))
    _, writer = await looked(way, f"site.test:{here.port}", ["h2", "http/1.1"])
    tls = writer.get_extra_info("ssl_object")
    assert tls.selected_alpn_protocol() == "http/1.1"
    assert dict(tls.getpeercert()["issuer"][0])["commonName"] == "Signet sandbox box-1"
    writer.close()
    await writer.wait_closed()


async def test_several_requests_go_over_one_connection_each_decided(way: Way, site: Sites) -> None:
    here = await site(tls="site.test")
    await way.load(network(here.port, ", rules: [{method: GET, path: /repos/**}]"))
    base = f"https://site.test:{here.port}"
    code, out, err = await way.curl(f"{base}/repos/a", f"{base}/repos/b", f"{base}/other")
    assert code == 0, err
    assert out.count("hello") == 2
    assert "policy_denied" in out
    assert here.connections == 1
    assert [asked.line for asked in here.asked] == ["GET /repos/a HTTP/1.1", "GET /repos/b HTTP/1.1"]


async def test_the_host_of_each_request_is_the_tunnels(way: Way, site: Sites) -> None:
    here = await site(tls="site.test")
    await way.load(network(here.port, ", access: read-only"))
    _, out, _ = await way.curl("-H", "Host: other.test", f"https://site.test:{here.port}/")
    assert "different hosts" in out
    assert not here.asked


async def test_a_site_whose_certificate_is_anothers_is_refused(way: Way, site: Sites) -> None:
    here = await site(tls="other.test")
    await way.load(network(here.port, ", access: read-only"))
    _, out, _ = await way.curl(f"https://site.test:{here.port}/")
    assert '"code": "certificate"' in out
    assert not here.asked


async def test_a_site_whose_signer_nobody_knows_is_refused(way: Way, site: Sites, outside: Authority) -> None:
    here = await site(tls="site.test")
    outside.bundle.write_bytes(way.authority.bundle.read_bytes().replace(outside.bundle.read_bytes().strip(), b""))
    await way.load(network(here.port, ", access: read-only"))
    _, out, _ = await way.curl(f"https://site.test:{here.port}/")
    assert '"code": "certificate"' in out


async def test_a_client_that_does_not_trust_the_authority_leaves(way: Way, site: Sites) -> None:
    here = await site(tls="site.test")
    await way.load(network(here.port, ", access: read-only"))
    code, _, _ = await way.curl("--cacert", str(way.roots), f"https://site.test:{here.port}/")
    assert code == 60
    assert not here.asked


@pytest.mark.parametrize("tls", ["site.test", ""])
async def test_large_bodies_pass_both_ways_unchanged(way: Way, site: Sites, tls: str) -> None:
    data = bytes(range(256)) * 16384

    def digest(asked: Asked) -> bytes:
        return plain(hashlib.sha256(asked.body).hexdigest().encode() + data)

    here = await site(digest, tls=tls)
    await way.load(network(here.port, ", access: full, tls: terminate"))
    file = way.roots.with_name("data")
    file.write_bytes(data)
    got = way.roots.with_name("got")
    url = f"http{'s' if tls else ''}://site.test:{here.port}/"
    code, _, err = await way.curl("--data-binary", f"@{file}", "-o", str(got), url)
    assert code == 0, err
    assert got.read_bytes() == hashlib.sha256(data).hexdigest().encode() + data
    assert "expect" not in here.asked[0].headers


ANSWERS = {
    "until the end": (b"HTTP/1.1 200 OK\r\n\r\nabc", "abc"),
    "in chunks": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;x=y\r\na\r\n2\r\nbc\r\n0\r\nX: y\r\n\r\n",
        "abc",
    ),
    "nothing": (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
    "after a hint": (
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
        "abc",
    ),
}


@pytest.mark.parametrize("what", ANSWERS)
async def test_answers_of_every_framing_pass(way: Way, site: Sites, what: str) -> None:
    answer, text = ANSWERS[what]
    here = await site(lambda _: answer, tls="site.test")
    await way.load(network(here.port, ", access: read-only"))
    code, out, err = await way.curl(f"https://site.test:{here.port}/a")
    assert (code, out) == (0, text), err


async def test_a_head_tells_the_length_of_what_is_not_sent(way: Way, site: Sites) -> None:
    here = await site(lambda _: b"HTTP/1.1 200 OK\r\ncontent-length: 12345\r\n\r\n", tls="site.test")
    await way.load(network(here.port, ", access: read-only"))
    code, out, err = await way.curl("-I", f"https://site.test:{here.port}/a")
    assert code == 0, err
    assert "content-length: 12345" in out


async def test_an_answer_that_comes_early_is_passed_on(way: Way, site: Sites) -> None:
    """A site may refuse a body before it was sent."""
    here = await site(tls="site.test", greets=plain(b"too large", status="413 Too Large"))
    await way.load(network(here.port, ", access: full, tls: terminate"))
    reader, writer = await looked(way, f"site.test:{here.port}", ["http/1.1"])
    writer.write(f"POST / HTTP/1.1\r\nHost: site.test:{here.port}\r\nContent-Length: 1000000\r\n\r\nabc".encode())
    async with asyncio.timeout(10):
        assert (await reader.readuntil(b"large")).startswith(b"HTTP/1.1 413 ")
    writer.close()


@pytest.mark.parametrize("tls", ["site.test", ""])
async def test_a_websocket_passes_after_a_request_that_is_let_through(way: Way, site: Sites, tls: str) -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nx: y\r\n\r\n"
    here = await site(lambda _: switch, tls=tls)
    await way.load(network(here.port, ", rules: [{method: GET, path: /ws}]"))
    at = f"site.test:{here.port}"
    ask = f"GET /ws HTTP/1.1\r\nHost: {at}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
    if tls:
        reader, writer = await looked(way, at, ["http/1.1"])
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
        ask = ask.replace("/ws ", f"http://{at}/ws ")
    writer.write(ask.encode())
    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"x: y" in answer
        for message in (b"\x81\x00frame", b"more" * 50000):
            writer.write(message)
            assert await reader.readexactly(len(message)) == message
    writer.close()
    assert here.asked[0].headers["upgrade"] == "websocket"


async def test_another_upgrade_is_not_asked_for(way: Way, site: Sites) -> None:
    """HTTP/2 over an upgrade would not be looked into."""
    here = await site()
    await way.load(network(here.port, ", access: read-only"))
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
    words = [word for line in lines for word in ("-H", line)]
    code, _, err = await way.curl(*words, f"http://site.test:{here.port}/")
    assert code == 0, err
    assert not {"upgrade", "http2-settings", "connection"} & here.asked[0].headers.keys()


async def test_a_site_that_closed_meanwhile_is_asked_again(way: Way, site: Sites) -> None:
    """At the same address, and without another look-up."""
    here = await site(tls="site.test")
    await way.load(network(here.port, ", access: read-only"))
    at = f"site.test:{here.port}"
    reader, writer = await looked(way, at, ["http/1.1"])
    async with asyncio.timeout(10):
        for _ in range(2):
            writer.write(f"GET / HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
            assert (await reader.readuntil(b"site\n")).startswith(b"HTTP/1.1 200 ")
            for served in list(here._writers):
                served.transport.abort()
    writer.close()
    assert (here.connections, way.lookups) == (2, ["site.test"])


@pytest.mark.parametrize("tls", ["site.test", ""])
async def test_a_client_that_went_away_is_not_answered(way: Way, site: Sites, tls: str) -> None:
    """Its place is free for another at once."""
    asked, over = asyncio.Event(), asyncio.Event()

    async def slow(_: Asked) -> bytes:
        asked.set()
        await over.wait()
        return b""

    here = await site(slow, tls=tls)
    await way.load(network(here.port, ", tls: terminate"))
    at = f"site.test:{here.port}"
    if tls:
        _, writer = await looked(way, at, ["http/1.1"])
        writer.write(f"GET / HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
    else:
        _, writer = await asyncio.open_connection("127.0.0.1", way.port)
        writer.write(f"GET http://{at}/ HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
    await asked.wait()
    (serving,) = way.sidecar._serving
    writer.transport.abort()
    async with asyncio.timeout(10):
        await asyncio.wait([serving])
    over.set()


async def test_requests_that_were_sent_ahead_are_answered_in_turn(way: Way, site: Sites) -> None:
    here = await site(lambda asked: plain(asked.line.encode() + b";"))
    await way.load(network(here.port))
    at = f"site.test:{here.port}"
    requests = "".join(f"GET http://{at}/{number} HTTP/1.1\r\nHost: {at}\r\n\r\n" for number in range(5))
    last = f"GET http://{at}/5 HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n"
    got = await way.raw((requests + last).encode())
    assert [got.index(f"GET /{number} ".encode()) for number in range(6)] == sorted(
        got.index(f"GET /{number} ".encode()) for number in range(6)
    )
