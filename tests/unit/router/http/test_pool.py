"""Connections are kept, counted, handed on and given up in time; what may have been served is not sent twice."""

import asyncio
import gc
import os
import socket
import tracemalloc
from typing import Any

import pytest

from router.http.head import keeps
from router.wire import Fault, Request, WireError
from tests.unit.router.http.served import ASKED, HI, Peer, answering, ask, body, client, serving, silence

GET = Request("/models")


def sizes(wire: Any, served: Any) -> Any:
    return wire.sizes[served.base_url.split("/")[2]]


async def forever(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.send(HI)


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


async def test_calls_share_connections_and_no_more_than_there_may_be() -> None:
    async with serving(forever) as served, client(connections=4) as wire:
        answers = await asyncio.gather(*(ask(wire, served) for _ in range(256)))
        assert set(answers) == {b"hi"}
        assert len(served.peers) == 4
        assert sizes(wire, served) == (4, 4)


async def test_a_call_that_finds_every_connection_busy_is_told_so_in_time() -> None:
    async with serving(answering(b"", then=silence)) as served, client(connections=1, turn_seconds=0.05) as wire:
        first = asyncio.create_task(wire.open(served.target, ASKED))
        await served.until(lambda seen: seen.asked)
        with pytest.raises(WireError, match="busy") as caught:
            await wire.open(served.target, ASKED)
        assert caught.value.fault is Fault.UNREACHABLE
        first.cancel()
        await asyncio.wait([first])


async def test_a_place_that_was_waited_for_is_never_lost() -> None:
    """Whoever leaves the queue, in whatever moment, leaves its place to the next one."""
    async with serving(forever) as served, client(connections=1) as wire:
        for turns in range(12):
            holder = await wire.open(served.target, ASKED)
            waiting = [asyncio.create_task(ask(wire, served)) for _ in range(4)]
            await asyncio.sleep(0)
            waiting[1].cancel()
            await (body(holder) if turns % 2 else holder.aclose())
            for _ in range(turns // 2):
                await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.wait(waiting)
            assert waiting[2].result() == waiting[3].result() == b"hi"
        assert sizes(wire, served) == (1, 1)


async def test_closing_ends_calls_that_wait_for_a_connection_or_make_one() -> None:
    async with serving(answering(b"", then=silence)) as served, client(connections=1) as wire:
        calls = [asyncio.create_task(wire.open(served.target, ASKED)) for _ in range(3)]
        await served.until(lambda seen: seen.asked)
        await wire.aclose()
        for call in calls:
            with pytest.raises(WireError):
                await call
        late = asyncio.create_task(wire.open(served.target, ASKED))
        with pytest.raises(WireError, match="closing"):
            await late
        await served.until(lambda seen: seen.over == len(seen.peers))


async def test_a_dial_that_failed_or_was_left_gives_its_place_back() -> None:
    async with serving(forever) as served:
        port = int(served.base_url.split(":")[2].split("/")[0])
    async with client(connections=1, turn_seconds=0.05) as wire:
        for _ in range(3):
            with pytest.raises(WireError, match="cannot be reached"):
                await wire.open(served.target, ASKED)
        assert wire.sizes == {f"127.0.0.1:{port}": (0, 0)}


async def test_only_so_many_idle_connections_are_kept() -> None:
    async with serving(forever) as served, client(connections=8, idle=2) as wire:
        await asyncio.gather(*(ask(wire, served) for _ in range(64)))
        await served.until(lambda seen: seen.over == len(seen.peers) - 2)
        assert sizes(wire, served) == (2, 2)


async def test_idle_connections_are_closed_in_time() -> None:
    async with serving(forever) as served, client(connections=8, idle_seconds=0.1) as wire:
        await asyncio.gather(*(ask(wire, served) for _ in range(64)))
        await served.until(lambda seen: seen.over == 8)
        assert sizes(wire, served) == (0, 0)
        assert await ask(wire, served) == b"hi"


async def test_an_old_connection_takes_no_more_calls() -> None:
    async with serving(forever) as served, client(age_seconds=0.0) as wire:
        for _ in range(3):
            assert await ask(wire, served) == b"hi"
            await served.until(lambda seen: seen.over == len(seen.peers))
        assert len(served.peers) == 3


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({}, 30.0),
        ({"keep-alive": "timeout=5, max=100"}, 4.0),
        ({"keep-alive": "max=3,timeout=600"}, 30.0),
        ({"keep-alive": "timeout=0"}, -1.0),
        ({"keep-alive": "nonsense"}, 30.0),
    ],
)
def test_a_connection_is_kept_a_little_shorter_than_its_server_keeps_it(said: dict[str, str], seconds: float) -> None:
    assert keeps(said, 30.0) == seconds


async def test_a_thousand_calls_one_after_the_other_and_256_at_once_leave_nothing_behind() -> None:
    async with serving(forever) as served, client(connections=256, idle=256) as wire:

        async def rounds(times: int) -> int:
            for _ in range(times):
                assert await ask(wire, served) == b"hi"
            await asyncio.gather(*(ask(wire, served) for _ in range(256)))
            served.asked.clear()
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            await rounds(100)
            before = await rounds(100)
            after = await rounds(1000)
        finally:
            tracemalloc.stop()
        assert after - before < 100_000
        assert len(served.peers) <= 256
