"""A tunnel goes where the policy lets it, and is not looked into unless it has to be."""

import asyncio
import hashlib

from tests.unit.egress.conftest import Sites, network
from tests.unit.egress.way import Way


async def test_a_tunnel_that_is_let_through_is_not_looked_into(way: Way, site: Sites) -> None:
    """The client sees the site's own certificate, and the answer whole."""
    here = await site(tls="site.test")
    await way.load(network(here.port))
    trusted = str(way.roots)
    code, out, err = await way.curl("--cacert", trusted, f"https://site.test:{here.port}/x")
    assert (code, out) == (0, "hello from the site\n"), err
    assert await way.told(verdict="allow", host="site.test", rule="network.a.endpoints[0]", address="127.0.0.1")
    assert here.asked[0].line == "GET /x HTTP/1.1"


async def test_what_no_rule_lets_through_is_denied_and_says_how_to_open_it(way: Way, site: Sites) -> None:
    here = await site()
    await way.load(network(here.port))
    answer = await way.raw(b"CONNECT elsewhere.test:443 HTTP/1.1\r\nHost: elsewhere.test:443\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b'"policy_denied"' in answer
    assert b"elsewhere.test" in answer
    assert b'"hint": "add ' in answer
    assert way.lookups == []
    await way.told(verdict="deny", host="elsewhere.test", port=443, rule="default")


async def test_plain_http_is_forwarded(way: Way, site: Sites) -> None:
    here = await site()
    await way.load(network(here.port))
    code, out, err = await way.curl(f"http://site.test:{here.port}/a?b=c")
    assert (code, out) == (0, "hello from the site\n"), err
    assert here.asked[0].line == "GET /a?b=c HTTP/1.1"
    assert here.asked[0].headers["host"] == f"site.test:{here.port}"
    assert "proxy-connection" not in here.asked[0].headers
    await way.told(verdict="allow", method="GET", path="/a")


async def test_where_a_rule_needs_it_tls_is_ended_and_each_request_decided(way: Way, site: Sites) -> None:
    here = await site(tls="site.test")
    await way.load(network(here.port, ", access: read-only"))
    code, out, err = await way.curl(f"https://site.test:{here.port}/a")
    assert (code, out) == (0, "hello from the site\n"), err
    code, out, err = await way.curl("-d", "x", f"https://site.test:{here.port}/b")
    assert "policy_denied" in out
    assert [asked.line for asked in here.asked] == ["GET /a HTTP/1.1"]
    await way.told(verdict="deny", method="POST", path="/b")


async def test_a_tunnel_carries_everything_to_a_reader_that_is_slow(way: Way, site: Sites) -> None:
    """Nothing is lost where one side waits for the other, and its end arrives after the last byte."""
    data = b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(300_000))
    here = await site(lambda _: b"", greets=data)
    await way.load(network(here.port))
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port, limit=4096)
    at = f"site.test:{here.port}"
    writer.write(f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\0ends with this\r\n\r\n")
    got = hashlib.sha256()
    async with asyncio.timeout(30):
        while piece := await reader.read(50_000):
            got.update(piece)
            await asyncio.sleep(0)
    assert got.digest() == hashlib.sha256(data).digest()
    writer.close()


async def test_what_a_client_sends_before_it_ends_arrives(way: Way, site: Sites) -> None:
    """A tunnel is open one way after the other way has ended."""
    here = await site(lambda asked: b"HTTP/1.1 200 OK\r\n\r\n" + asked.head, greets=b"!")
    await way.load(network(here.port))
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    at = f"site.test:{here.port}"
    writer.write(f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
    await reader.readuntil(b"!")
    writer.write(b"\0last words\r\n\r\n")
    writer.write_eof()
    async with asyncio.timeout(10):
        assert (await reader.read()).endswith(b"\0last words")
    writer.close()
