"""A run's clock stands still while a person is asked, within a bound, and otherwise runs."""

import asyncio

import pytest

from workers import wall
from workers.wall import Wall


async def test_it_is_over_when_its_seconds_are() -> None:
    await asyncio.wait_for(Wall(0.01).over(), 10)


async def test_it_stands_still_while_somebody_is_asked_and_goes_on_after_that() -> None:
    clock = Wall(0.05)
    over = asyncio.create_task(clock.over())
    with clock.standing(), clock.standing():
        await asyncio.sleep(0.2)
        assert not over.done()
    await asyncio.wait_for(over, 10)


async def test_it_goes_on_only_when_the_last_question_is_answered() -> None:
    clock = Wall(0.05)
    over = asyncio.create_task(clock.over())
    with clock.standing():
        with clock.standing():
            pass
        await asyncio.sleep(0.2)
        assert not over.done()
    await asyncio.wait_for(over, 10)


async def test_it_stands_still_no_longer_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall, "STANDING_SECONDS", 0.05)
    clock = Wall(0.05)
    with clock.standing():
        await asyncio.wait_for(clock.over(), 10)


async def test_a_shorter_time_takes_effect_while_it_is_waited_for() -> None:
    clock = Wall(3600)
    over = asyncio.create_task(clock.over())
    await asyncio.sleep(0)
    clock.within(0.01)
    await asyncio.wait_for(over, 10)
