"""A host has one spelling, and the three places that name it have to agree."""

import asyncio

import pytest

from tests.unit.egress.conftest import Sites, network
from tests.unit.egress.test_hello import greeting
from tests.unit.egress.way import Way
from workers.sidecars.egress.hello import ALERT


async def tunnel(way: Way, at: str, data: bytes, least: int = 1) -> bytes:
    """Open a tunnel, send this through it, and give what came back first, or all until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    try:
        async with asyncio.timeout(10):
            writer.write(f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            writer.write(data)
            return await reader.read(65536) if least else await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("name", ["other.test", "site.test.other.test", None])
async def test_a_tunnel_cannot_be_used_for_another_name(way: Way, site: Sites, name: str | None) -> None:
    """Neither one that a front would serve, nor none, with which it would choose itself."""
    here = await site(tls="site.test")
    await way.load(network(here.port))
    answer = await tunnel(way, f"site.test:{here.port}", greeting(name), least=0)
    assert answer == ALERT
    await way.told(verdict="deny", rule="tunnel.name")
    assert not here.asked


async def test_the_same_name_in_other_letters_is_the_same(way: Way, site: Sites) -> None:
    here = await site(tls="site.test")
    await way.load(network(here.port))
    assert (await tunnel(way, f"SITE.test.:{here.port}", greeting("Site.Test")))[0] == 22


async def test_an_address_needs_no_name_and_takes_none(way: Way, site: Sites) -> None:
    here = await site(tls="127.0.0.1")
    await way.load(network(here.port, host="127.0.0.1"))
    assert (await tunnel(way, f"127.0.0.1:{here.port}", greeting(None)))[0] == 22
    assert await tunnel(way, f"127.0.0.1:{here.port}", greeting("site.test"), least=0) == ALERT


async def test_a_greeting_in_pieces_is_read_whole_before_it_goes_on(way: Way, site: Sites) -> None:
    here = await site(tls="site.test")
    await way.load(network(here.port))
    data = greeting("other.test")
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    at = f"site.test:{here.port}"
    writer.write(f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    for piece in (data[:1], data[1:5], data[5:40], data[40:]):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        assert await reader.read() == ALERT
    writer.close()


async def test_plain_requests_within_a_tunnel_are_read_and_name_its_host(way: Way, site: Sites) -> None:
    here = await site()
    await way.load(network(here.port))
    at = f"site.test:{here.port}"
    good = await tunnel(way, at, f"GET /x HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
    assert good.startswith(b"HTTP/1.1 200 ")
    bad = await tunnel(way, at, f"GET /y HTTP/1.1\r\nHost: other.test:{here.port}\r\n\r\n".encode())
    assert bad.startswith(b"HTTP/1.1 400 ")
    assert [asked.line for asked in here.asked] == ["GET /x HTTP/1.1"]


async def test_another_protocol_passes_a_tunnel_that_is_not_looked_into(way: Way, site: Sites) -> None:
    """A site that speaks first is heard."""
    here = await site(greets=b"SSH-2.0-site\r\n")
    await way.load(network(here.port))
    assert await tunnel(way, f"site.test:{here.port}", b"") == b"SSH-2.0-site\r\n"


async def test_another_protocol_does_not_pass_where_requests_have_to_be_read(way: Way, site: Sites) -> None:
    here = await site()
    await way.load(network(here.port, ", access: read-only"))
    assert await tunnel(way, f"site.test:{here.port}", b"EHLO there\r\n", least=0) == b""
    await way.told(verdict="deny", rule="tunnel.protocol")
    assert not here.asked


@pytest.mark.parametrize(
    "host",
    ["127.1", "0x7f.0.0.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]",
     "[::ffff:7f00:1]", "0.0.0.1", "169.254.169.254", "[fe80::1]", "10.0.0.1", "[fd00::1]", "224.0.0.1"],
)  # fmt: skip
async def test_no_spelling_of_an_address_passes_for_a_name(way: Way, site: Sites, host: str) -> None:
    here = await site()
    text = f'network: {{a: {{endpoints: [{{host: "*", port: {here.port}}}]}}}}\n'
    await way.load(text)
    answer = await way.raw(f"CONNECT {host}:{here.port} HTTP/1.1\r\nHost: {host}:{here.port}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 "), answer
    assert way.lookups == []
    assert not here.connections


@pytest.mark.parametrize(
    "host", ["a b.test", "a..test", "-a.test", "[::1", "[fe80::1%25lo]", "a%2etest", "a_\xe9.test", "1.2.3.4.5"]
)
async def test_what_is_no_host_is_refused(way: Way, host: str) -> None:
    await way.load("network: {}\n")
    answer = await way.raw(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode("latin-1"))
    assert answer.startswith(b"HTTP/1.1 400 "), answer
