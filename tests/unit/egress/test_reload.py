"""A policy that is loaded is in force at once, also for what is open; one that is bad changes nothing."""

import asyncio
import time

from signet.policy.decide import GrantView
from tests.unit.egress.conftest import Sites, network
from tests.unit.egress.way import Way


async def opened(way: Way, at: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a tunnel."""
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    writer.write(f"CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def test_what_is_no_longer_let_through_is_closed(way: Way, site: Sites) -> None:
    here, there = await site(greets=b"first"), await site(greets=b"second")
    both = f"}}, {{host: other.test, port: {there.port}, allowed_ips: [127.0.0.1]"
    await way.load(network(here.port, both))
    kept = await opened(way, f"other.test:{there.port}")
    shut = await opened(way, f"site.test:{here.port}")
    assert (await shut[0].readexactly(5), await kept[0].readexactly(6)) == (b"first", b"second")
    answer = await way.load(network(there.port, host="other.test"))
    assert answer["closed"] == 1
    async with asyncio.timeout(10):
        assert await shut[0].read() == b""
    await way.told(verdict="deny", host="site.test")
    kept[1].write(b"GET / HTTP/1.1\r\n\r\n")
    assert (await kept[0].read(8)) == b"HTTP/1.1"
    for _, writer in (kept, shut):
        writer.close()


async def test_what_has_to_be_looked_into_now_is_closed(way: Way, site: Sites) -> None:
    here = await site(greets=b"first")
    await way.load(network(here.port))
    reader, writer = await opened(way, f"site.test:{here.port}")
    await reader.readexactly(5)
    assert (await way.load(network(here.port, ", access: read-only")))["closed"] == 1
    assert await reader.read() == b""
    writer.close()


async def test_an_address_that_is_no_longer_listed_is_closed(way: Way, site: Sites) -> None:
    here = await site(greets=b"first")
    await way.load(network(here.port))
    reader, writer = await opened(way, f"site.test:{here.port}")
    await reader.readexactly(5)
    unlisted = f"network: {{a: {{endpoints: [{{host: site.test, port: {here.port}}}]}}}}\n"
    assert (await way.load(unlisted))["closed"] == 1
    assert await reader.read() == b""
    writer.close()


async def test_a_request_that_is_no_longer_let_through_is_broken_off(way: Way, site: Sites) -> None:
    asked, over = asyncio.Event(), asyncio.Event()

    async def slow(_: object) -> bytes:
        asked.set()
        await over.wait()
        return b""

    here = await site(slow, tls="site.test")
    await way.load(network(here.port, ", access: read-only"))
    going = asyncio.create_task(way.curl(f"https://site.test:{here.port}/x"))
    await asked.wait()
    answer = await way.load(network(here.port, ", access: read-only, deny: [{method: GET, path: /x}]"))
    assert answer["closed"] == 1
    code, _, _ = await going
    over.set()
    assert code != 0


async def test_a_connection_that_is_kept_is_decided_by_what_is_in_force(way: Way, site: Sites) -> None:
    here = await site()
    await way.load(network(here.port))
    at = f"site.test:{here.port}"
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    request = f"GET http://{at}/x HTTP/1.1\r\nHost: {at}\r\n\r\n".encode()
    writer.write(request)
    assert b" 200 " in await reader.readuntil(b"site\n")
    assert (await way.load(network(here.port, ", deny: [{method: GET, path: /x}]")))["closed"] == 0
    writer.write(request)
    assert (await reader.read()).startswith(b"HTTP/1.1 403 ")
    writer.close()


async def test_a_bad_document_leaves_the_last_good_one_in_force(way: Way, site: Sites) -> None:
    here = await site()
    await way.load(network(here.port))
    for order in ({}, {"document": "{}", "grants": []}, {"document": 5}):
        assert (await way.put({**order}))["kind"] == "refused"
    code, out, _ = await way.curl(f"http://site.test:{here.port}/")
    assert (code, out) == (0, "hello from the site\n")


async def test_a_grant_opens_and_its_end_closes(way: Way, site: Sites) -> None:
    here = await site(greets=b"first")
    way.names["site.test"] = ["127.0.0.1"]
    listed = network(here.port, ", access: read-only")  # which lists the address, and would look into it
    grant = GrantView("grants/g1", "network", "site.test", here.port, expires=time.time() + 4)
    await way.load(listed, [grant])
    reader, writer = await opened(way, f"site.test:{here.port}")
    assert await reader.readexactly(5) == b"first"
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    await way.told(verdict="deny", host="site.test")
    writer.close()


async def test_audit_lets_through_and_says_so(way: Way, site: Sites) -> None:
    here = await site(tls="site.test")
    text = network(here.port, ", access: read-only") + "enforcement: audit\n"
    await way.load(text)
    code, out, err = await way.curl("-d", "x", f"https://site.test:{here.port}/b")
    assert (code, out) == (0, "hello from the site\n"), err
    await way.told(verdict="audit", method="POST", path="/b")
