"""A pipe holds a few messages: order kept, none lost, and both ends told of the end."""

import asyncio

import pytest

from control.pipe import Pipe
from control.streams import first_of
from signet.kit.errors import Unavailable


async def test_whoever_puts_waits_for_room_and_nothing_is_lost() -> None:
    pipe: Pipe[int] = Pipe(3)
    put: list[int] = []

    async def fill() -> None:
        for number in range(50):
            await pipe.put(number)
            put.append(number)
        pipe.end()

    filling = asyncio.create_task(fill())
    await asyncio.sleep(0)
    assert put == [0, 1, 2]
    got = []
    while (number := await pipe.get()) is not None:
        got.append(number)
        assert len(put) <= len(got) + 3
    assert got == list(range(50))
    await filling


async def test_an_end_wakes_whoever_waits_at_either_side() -> None:
    full, empty = Pipe[int](1), Pipe[int](1)
    await full.put(1)
    putting, getting = asyncio.create_task(full.put(2)), asyncio.create_task(empty.get())
    await asyncio.sleep(0)
    full.end()
    empty.end()
    assert await putting is False
    assert await getting is None
    assert await full.get() == 1
    assert await full.get() is None
    assert await full.put(3) is False


async def test_what_it_was_ended_with_comes_after_what_is_in_it_and_the_first_end_counts() -> None:
    pipe: Pipe[int] = Pipe(2)
    await pipe.put(1)
    pipe.end(Unavailable("NO_WORKER", "gone"))
    pipe.end()
    assert await pipe.get() == 1
    with pytest.raises(Unavailable, match="gone"):
        await pipe.get()


async def test_parts_end_with_the_first_of_them() -> None:
    ended: list[str] = []

    async def stays(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    async def leaves() -> None:
        await asyncio.sleep(0)

    await first_of(stays("one"), leaves(), stays("two"))
    assert sorted(ended) == ["one", "two"]


async def test_what_a_part_raised_is_raised_once_the_others_ended() -> None:
    ended = asyncio.Event()

    async def stays() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fails() -> None:
        raise Unavailable("NO_WORKER", "gone")

    with pytest.raises(Unavailable):
        await first_of(stays(), fails())
    assert ended.is_set()


async def test_a_cancel_ends_all_parts() -> None:
    ended: list[int] = []

    async def stays(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    both = asyncio.create_task(first_of(stays(1), stays(2)))
    await asyncio.sleep(0.01)
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both
    assert sorted(ended) == [1, 2]
