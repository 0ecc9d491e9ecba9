"""A request is sent twice only where nobody can have served it, or where that would change nothing."""

import os
import socket

import pytest

from router.wire import Fault, Request, WireError
from tests.unit.router.http.served import HI, Peer, answering, ask, client, forever, serving, silence

GET = Request("/models")


async def test_a_kept_connection_that_was_closed_is_not_even_tried() -> None:
    async with serving(answering(HI)) as served, client() as wire:
        for _ in range(5):
            assert await ask(wire, served) == b"hi"
            await served.until(lambda seen: seen.over == len(seen.peers))
        assert len(served.asked) == 5


async def test_a_kept_connection_whose_close_nobody_noticed_yet_is_not_tried_either() -> None:
    """The kernel knows, asyncio does not: nothing ran in between."""
    held: list[Peer] = []

    async def script(peer: Peer) -> None:
        held.append(peer)
        await forever(peer)

    async with serving(script) as served, client() as wire:
        assert await ask(wire, served) == b"hi"
        with socket.socket(fileno=os.dup(held[0].writer.get_extra_info("socket").fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)
        assert await ask(wire, served) == b"hi"
        assert len(served.asked) == 2


async def closing_on_the_second(peer: Peer) -> None:
    """Answer, take a second request, and hang up without a word, on the first connection."""
    await peer.request()
    await peer.send(HI)
    await peer.request()
    if peer.number:
        await peer.send(HI)
        await silence(peer)


async def test_a_post_that_was_taken_is_never_sent_twice() -> None:
    async with serving(closing_on_the_second) as served, client() as wire:
        assert await ask(wire, served) == b"hi"
        with pytest.raises(WireError) as caught:
            await ask(wire, served)
        assert caught.value.fault is Fault.BROKEN
        assert len(served.asked) == 2


async def test_a_get_that_was_not_answered_is_sent_again_once() -> None:
    async with serving(closing_on_the_second) as served, client() as wire:
        assert await ask(wire, served) == b"hi"
        assert await ask(wire, served, GET) == b"hi"
        assert len(served.asked) == 3
        assert len(served.peers) == 2


async def test_a_get_is_not_sent_again_over_a_fresh_connection_or_once_an_answer_began() -> None:
    async def half(peer: Peer) -> None:
        await peer.request()
        if peer.number == 0:
            await peer.send(HI)
            await peer.request()
            await peer.send(b"HTTP/1.1")

    async with serving(half) as served, client() as wire:
        assert await ask(wire, served) == b"hi"
        for asked in (2, 3):
            with pytest.raises(WireError):
                await ask(wire, served, GET)
            assert len(served.asked) == asked


async def test_a_post_that_was_not_taken_whole_is_sent_again() -> None:
    """The server closes while the kernel still holds back part of the request: nobody can have served it."""
    large = Request("/chat", b"x" * (32 << 20))

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HI)
        if peer.number == 0:
            await peer.reader.readexactly(1000)
            peer.reset()
        else:
            await silence(peer)

    async with serving(script) as served, client() as wire:
        assert await ask(wire, served) == b"hi"
        assert await ask(wire, served, large) == b"hi"
        assert len(served.peers) == 2
        assert len(served.asked) == 2
        assert len(served.asked[1][2]) == 32 << 20


async def test_a_fresh_connection_that_is_closed_before_it_took_the_request_cost_nothing() -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.readexactly(1000)
        peer.reset()

    async with serving(script) as served, client() as wire:
        with pytest.raises(WireError) as caught:
            await ask(wire, served, Request("/chat", b"x" * (32 << 20)))
        assert caught.value.fault is Fault.UNREACHABLE
        assert len(served.peers) == 1
