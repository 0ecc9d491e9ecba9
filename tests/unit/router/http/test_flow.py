"""Nobody is made to hold what somebody else does not take: slow readers, slow writers, and waits with an end."""

import asyncio

import pytest

from router.http.limits import HIGH_BYTES
from router.wire import Fault, Request, WireError
from tests.unit.router.http.served import ASKED, HI, OK, Peer, ask, body, client, serving, silence

LARGE = Request("/chat", b"x" * (16 << 20))


async def test_a_reader_that_takes_nothing_holds_the_server_back() -> None:
    sent = 0
    stuck = asyncio.Event()

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(OK + b"\r\n")
        while True:
            peer.writer.write(b"y" * 65536)
            try:
                async with asyncio.timeout(0.2):
                    await peer.writer.drain()
            except TimeoutError:
                stuck.set()
                await peer.writer.drain()
            sent += 65536
            if sent >= 64 << 20:
                return

    async with serving(script) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        async with asyncio.timeout(20):
            await stuck.wait()
            exchange = answer._exchange  # type: ignore[attr-defined] # what is promised is how much it holds
            while exchange.unread <= HIGH_BYTES:  # noqa: ASYNC110 - the server may have been stuck for a moment before
                await asyncio.sleep(0.001)
        assert sent < 32 << 20  # what the kernel holds, and little more
        assert exchange.unread < HIGH_BYTES + (1 << 20)
        assert len(await body(answer)) == 64 << 20


async def test_an_answer_that_was_held_back_can_be_left() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"\r\n")
        peer.writer.write(b"y" * (32 << 20))
        await silence(peer)

    async with serving(script) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        async with asyncio.timeout(10):
            exchange = answer._exchange  # type: ignore[attr-defined] # the moment that is meant
            while exchange.unread <= HIGH_BYTES:  # noqa: ASYNC110 - nothing tells when it comes
                await asyncio.sleep(0.001)
        await answer.aclose()
        await served.until(lambda seen: seen.over == 1)


async def test_a_server_that_takes_nothing_of_the_request_is_given_up() -> None:
    async def deaf(_: Peer) -> None:
        await asyncio.Event().wait()

    async with serving(deaf) as served, client(write_seconds=0.1) as wire:
        with pytest.raises(WireError, match="took no more of the request") as caught:
            await ask(wire, served, LARGE)
        assert caught.value.fault is Fault.TIMEOUT


async def test_a_server_that_takes_the_request_slowly_is_waited_for() -> None:
    async def script(peer: Peer) -> None:
        got = 0
        while got < len(LARGE.body or b""):
            got += len(await peer.reader.read(1 << 17))
            await asyncio.sleep(0.02)
        await peer.send(HI)
        await silence(peer)

    async with serving(script) as served, client(write_seconds=1.5) as wire:
        assert await ask(wire, served, LARGE) == b"hi"


async def test_an_answer_that_comes_before_the_request_was_taken_is_an_answer_and_the_connections_last() -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
        await silence(peer)

    async with serving(script) as served, client() as wire:
        answer = await wire.open(served.target, LARGE)
        assert answer.status == 413
        assert await body(answer) == b"no"
        assert wire.sizes[served.base_url.split("/")[2]][1] == 0


async def test_a_large_answer_byte_by_byte_chunk_is_whole() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\nz\r\n" * 200_000 + b"0\r\n\r\n")
        await silence(peer)

    async with serving(script) as served, client() as wire:
        assert await ask(wire, served) == b"z" * 200_000


async def test_a_request_counts_as_taken_only_when_the_kernel_has_its_last_byte() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HI)
        await silence(peer)

    async with serving(script) as served, client() as wire:
        answer = await wire.open(served.target, ASKED)
        transport = answer._connection._transport  # type: ignore[attr-defined] # a kernel cannot be told when to stop
        assert transport.get_write_buffer_limits() == (0, 0)
        await answer.aclose()
