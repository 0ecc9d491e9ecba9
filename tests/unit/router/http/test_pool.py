"""Connections are kept, counted, handed on in turn, and given up in time."""

import asyncio
import gc
import tracemalloc
from typing import Any

import pytest

from router.http.head import keeps
from router.wire import Fault, WireError
from tests.unit.router.http.served import ASKED, answering, ask, body, client, forever, serving, silence


def sizes(wire: Any, served: Any) -> Any:
    return wire.sizes[served.base_url.split("/")[2]]


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
