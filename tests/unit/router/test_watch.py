"""A watch ends waits that take too long, and nothing else."""

import asyncio

import pytest

from router.watch import Watch


async def test_a_wait_that_takes_too_long_is_a_timeout() -> None:
    watch = Watch()
    with pytest.raises(TimeoutError), watch(0.01):
        await asyncio.Event().wait()
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr] # a test is a task
    with watch(60):
        await asyncio.sleep(0)
    watch.close()


async def test_a_timer_that_rings_for_an_earlier_wait_does_not_end_a_later_one() -> None:
    watch = Watch()
    with watch(0.01):
        await asyncio.sleep(0)
    with watch(60):
        await asyncio.sleep(0.05)
    watch.close()


async def test_a_shorter_wait_after_a_longer_one_has_its_own_time() -> None:
    watch = Watch()
    with watch(60):
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError), watch(0.01):
        await asyncio.Event().wait()
    watch.close()


async def test_between_waits_nothing_rings() -> None:
    watch = Watch()
    with watch(0.01):
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    with pytest.raises(TimeoutError), watch(0.01):
        await asyncio.Event().wait()


async def test_somebody_elses_cancel_is_no_timeout() -> None:
    watch = Watch()
    waiting = asyncio.Event()

    async def wait() -> None:
        with watch(60):
            waiting.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    watch.close()


async def test_a_wait_ends_at_the_end_of_the_whole_too_and_at_once_where_that_has_passed() -> None:
    watch = Watch()
    now = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError), watch(60, now + 0.01):
        await asyncio.Event().wait()
    with pytest.raises(TimeoutError), watch(60, now):
        pass
    with watch(60, now + 60):
        await asyncio.sleep(0)
    watch.close()
