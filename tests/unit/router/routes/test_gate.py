"""As many as there is room for are inside, as many as the queue holds wait, in order, and a wait ends."""

import asyncio

import pytest

from router.gate import Gate
from router.refusal import Refusal


class Seat:
    """A model's calls."""

    def __init__(self, allowed: int = 99) -> None:
        self.active = 0
        self.allowed = allowed


async def waits(gate: Gate, seat: Seat, most: int = 0) -> "asyncio.Task[None]":
    """Begin to wait."""
    before = gate.waiting
    task = asyncio.create_task(gate.enter(seat, 60, most))
    await asyncio.sleep(0)
    assert gate.waiting == before + 1
    return task


async def test_who_waits_comes_in_in_turn() -> None:
    gate, seat = Gate("g", concurrency=1, queue=2), Seat()
    await gate.enter(seat, 1)
    first, second = await waits(gate, seat), await waits(gate, seat)
    with pytest.raises(Refusal, match="2 more are waiting"):
        await gate.enter(seat, 1)
    gate.leave(seat)
    await first
    assert not second.done()
    assert (seat.active, gate.waiting) == (1, 1)
    gate.leave(seat)
    await second
    gate.leave(seat)
    assert seat.active == 0


async def test_who_waits_for_one_model_does_not_hold_up_another() -> None:
    gate, full, free = Gate("g", concurrency=2, queue=2), Seat(1), Seat()
    await gate.enter(full, 1)
    waiting = await waits(gate, full)
    await gate.enter(free, 1)
    assert free.active == 1
    also = await waits(gate, free)
    gate.leave(free)
    await also
    assert not waiting.done()
    gate.leave(full)
    await waiting


async def test_a_route_may_bound_its_target_further() -> None:
    gate, seat = Gate("g", concurrency=8, queue=2), Seat()
    await gate.enter(seat, 1, 1)
    waiting = await waits(gate, seat, 1)
    await gate.enter(seat, 1)
    gate.leave(seat)
    assert not waiting.done()
    gate.leave(seat)
    await waiting


async def test_a_wait_ends_and_leaves_no_trace() -> None:
    gate, seat = Gate("g", concurrency=1, queue=2), Seat()
    await gate.enter(seat, 1)
    with pytest.raises(Refusal, match=r"none ended in 0\.01 s"):
        await gate.enter(seat, 0.01)
    assert gate.waiting == 0
    leaving = await waits(gate, seat)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert gate.waiting == 0
    gate.leave(seat)
    await gate.enter(seat, 1)


async def test_who_leaves_in_the_moment_it_is_let_in_gives_its_place_on() -> None:
    gate, seat = Gate("g", concurrency=1, queue=2), Seat()
    await gate.enter(seat, 1)
    first, second = await waits(gate, seat), await waits(gate, seat)
    gate.leave(seat)
    first.cancel()
    await asyncio.wait([first])
    await asyncio.wait_for(second, 5)
    assert seat.active == 1


async def test_a_limit_that_falls_lets_nobody_in_until_enough_have_left() -> None:
    gate, seat = Gate("g", concurrency=9, queue=9), Seat(3)
    for _ in range(3):
        await gate.enter(seat, 1)
    seat.allowed = 1
    waiting = await waits(gate, seat)
    gate.leave(seat)
    gate.leave(seat)
    assert not waiting.done()
    gate.leave(seat)
    await waiting
