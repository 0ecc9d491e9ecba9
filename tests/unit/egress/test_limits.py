"""Everything is bounded: at a bound a request is refused or a connection closed, and the rest goes on."""

import asyncio
from typing import Any

import pytest

from tests.unit.egress.conftest import Sites, network
from tests.unit.egress.test_hello import greeting
from tests.unit.egress.test_reload import opened
from tests.unit.egress.way import Way
from workers.sidecars.egress.limits import Limits


async def ended(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        return await reader.read()


async def test_one_connection_too_many_is_told_so(way: Way, site: Sites) -> None:
    here = await site()
    await way.load(network(here.port), limits={"connections": 2})
    held = [await opened(way, f"site.test:{here.port}") for _ in range(2)]
    answer = await way.raw(b"GET http://site.test/ HTTP/1.1\r\nHost: site.test\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"too_many_connections" in answer
    held[0][1].close()
    await held[0][1].wait_closed()
    async with asyncio.timeout(10):
        request = f"GET http://site.test:{here.port}/ HTTP/1.0\r\n\r\n".encode()
        while b" 200 " not in await way.raw(request):
            pass  # until the end of the first was seen there
    held[1][1].close()


@pytest.mark.parametrize("data", [b"", b"GET http://site.test/ HTT", b"CONNECT site.test:443 HTTP/1.1\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(way: Way, data: bytes) -> None:
    await way.load("network: {}\n", limits={"handshake_seconds": 0.1})
    assert await way.raw(data) == b""


async def test_a_greeting_that_does_not_come_whole_is_not_waited_for(way: Way, site: Sites) -> None:
    here = await site()
    await way.load(network(here.port), limits={"handshake_seconds": 0.2})
    reader, writer = await opened(way, f"site.test:{here.port}")
    writer.write(greeting("site.test")[:40])
    assert await ended(reader) == b""
    writer.close()


@pytest.mark.parametrize("more", ["", ", access: read-only"])
async def test_a_silent_tunnel_is_closed(way: Way, site: Sites, more: str) -> None:
    here = await site()
    await way.load(network(here.port, more), limits={"idle_seconds": 0.2, "handshake_seconds": 0.2})
    reader, writer = await opened(way, f"site.test:{here.port}")
    assert await ended(reader) == b""
    writer.close()


async def test_a_tunnel_that_fell_silent_is_closed(way: Way, site: Sites) -> None:
    here = await site(greets=b"first")
    await way.load(network(here.port), limits={"idle_seconds": 0.2})
    reader, writer = await opened(way, f"site.test:{here.port}")
    assert await ended(reader) == b"first"
    writer.close()


@pytest.mark.parametrize("more", ["", ", access: read-only"])
async def test_a_site_that_does_not_answer_is_not_waited_for(way: Way, site: Sites, more: str) -> None:
    over = asyncio.Event()

    async def never(_: object) -> bytes:
        await over.wait()
        return b""

    here = await site(never)
    await way.load(network(here.port, more), limits={"idle_seconds": 0.2})
    answer = await way.raw(
        f"GET http://site.test:{here.port}/ HTTP/1.1\r\nHost: site.test:{here.port}\r\n\r\n".encode()
    )
    over.set()
    assert answer.startswith(b"HTTP/1.1 504 ")


@pytest.mark.parametrize("more", ["", ", tls: terminate"])
async def test_a_websocket_is_closed_when_both_sides_are_silent(way: Way, site: Sites, more: str) -> None:
    """And not before, where one of them speaks."""
    switch = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n"
    here = await site(lambda _: switch)
    await way.load(network(here.port, more), limits={"idle_seconds": 1.5})
    reader, writer = await opened(way, f"site.test:{here.port}")
    at = f"site.test:{here.port}"
    writer.write(f"GET / HTTP/1.1\r\nHost: {at}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".encode())
    async with asyncio.timeout(10):
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        for served in list(here._writers):
            for _ in range(4):
                served.write(b"x")
                await asyncio.sleep(0.5)
        assert await reader.readexactly(4) == b"xxxx"
        assert await reader.read() == b""
    writer.close()


async def test_a_connection_carries_so_many_bytes_and_no_more(way: Way, site: Sites) -> None:
    here = await site(greets=bytes(3_000_000))
    await way.load(network(here.port), limits={"total_bytes": 1_000_000})
    reader, writer = await opened(way, f"site.test:{here.port}")
    assert len(await ended(reader)) < 3_000_000
    writer.close()
    at = f"site.test:{here.port}"
    got = await way.raw(f"GET http://{at}/ HTTP/1.1\r\nHost: {at}\r\n\r\n".encode())
    assert len(got) < 3_000_000


async def test_a_look_up_that_does_not_end_is_not_waited_for(way: Way) -> None:
    async def never(_: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    way.sidecar._admission._lookup = never
    await way.load("network: {a: {endpoints: [{host: slow.test}]}}\n", limits={"dial_seconds": 0.1})
    answer = await way.raw(b"CONNECT slow.test:443 HTTP/1.1\r\nHost: slow.test:443\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("wrong", [{"connections": 0}, {"idle_seconds": -1.0}])
def test_a_bound_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Limits(**wrong)


async def test_a_flood_of_decisions_is_counted_and_not_kept(way: Way) -> None:
    """Whatever the worker does meanwhile, no more than so many wait."""
    from signet.policy.decide import Decision
    from workers.sidecars.egress.tally import KINDS
    from workers.sidecars.egress.target import Target

    for number in range(KINDS + 10):
        way.sidecar._tally.note(Decision("deny", "default", ""), Target(f"h{number}.test", 443))
    assert len(way.sidecar._tally._waiting) == KINDS
    assert way.sidecar._tally._cut == 10
    for _ in range(5):
        way.sidecar._tally.note(Decision("deny", "default", ""), Target("h0.test", 443))
    assert (await way.told(host="h0.test"))["count"] == 6
