"""Leases, against a served control: renewed in time, lost when control says so, given up before they end."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from signet.kit import dial
from signet.kit.log import get
from signet.work.v1 import work_pb2
from tests.fakes.work import TOKEN, Work, assignment, serving
from workers.clock import now
from workers.control import Control
from workers.lease import Held, Keeper


@dataclass
class Desk:
    """A registered worker with its keeper."""

    work: Work
    control: Control
    keeper: Keeper
    obeyed: list[work_pb2.Directive]

    async def claimed(self, asked: float | None = None) -> Held:
        run = await self.work.offer(assignment(""))
        began = now() if asked is None else asked
        assert await self.control.claim(1)
        return self.keeper.hold(run, 1, began)


@asynccontextmanager
async def desk(path: Path, seconds: int) -> AsyncIterator[Desk]:
    work = Work(lease_seconds=seconds)
    async with serving(work, path / "s") as target, dial.channel(target, TOKEN) as channel:
        control = Control(channel, "workers/w")
        keeper = Keeper(control, lambda: 5, get("worker"))
        obeyed: list[work_pb2.Directive] = []
        task = asyncio.create_task(keeper.run(obeyed.append))
        keeper.terms(await control.register(work_pb2.RegisterWorkerRequest(capacity=1)))
        try:
            yield Desk(work, control, keeper, obeyed)
        finally:
            task.cancel()
            await asyncio.wait([task])


def renewals(work: Work) -> Callable[[], bool]:
    before = work.calls.count("RenewLeases")
    return lambda: work.calls.count("RenewLeases") > before + 1


async def test_a_lease_that_is_renewed_outlives_its_first_time(tmp_path: Path) -> None:
    async with desk(tmp_path, 2) as at:
        held = await at.claimed()
        first = at.work.leases[held.run].expires
        await at.work.until(lambda: at.work.leases[held.run].expires > first + 2)
        assert not held.lost.is_set()
        assert held.remaining() > 0


async def test_a_claim_that_took_long_is_renewed_at_once(tmp_path: Path) -> None:
    """Its lease counts from when it was asked for, so most of it may be gone already."""
    async with desk(tmp_path, 30) as at:
        await at.work.until(lambda: "RenewLeases" in at.work.calls)
        held = await at.claimed(asked=now() - 25)
        assert held.remaining() < 6
        calls = at.work.calls.count("RenewLeases")
        await at.work.until(lambda: at.work.calls.count("RenewLeases") > calls)
        async with asyncio.timeout(10):
            while held.remaining() <= 15:  # noqa: ASYNC110 - the answer is on its way
                await asyncio.sleep(0.01)


async def test_a_lease_that_cannot_be_renewed_is_given_up_before_it_ends(tmp_path: Path) -> None:
    async with desk(tmp_path, 2) as at:
        held = await at.claimed()
        await at.work.hang("RenewLeases")
        await held.lost.wait()
        assert held.remaining() == 0
        assert held._until > now()
        assert "could not be renewed" in held.why


async def test_a_lease_that_control_gave_away_is_lost_and_others_hold(tmp_path: Path) -> None:
    async with desk(tmp_path, 2) as at:
        lost, kept = await at.claimed(), await at.claimed()
        at.work.lost.add(lost.run)
        await lost.lost.wait()
        await at.work.until(renewals(at.work))
        assert not kept.lost.is_set()


async def test_an_incarnation_that_control_forgot_loses_everything(tmp_path: Path) -> None:
    async with desk(tmp_path, 2) as at:
        held = await at.claimed()
        at.work.registrations.append(work_pb2.RegisterWorkerRequest(incarnation="another"))
        await held.lost.wait()
        await at.keeper.stale.wait()


async def test_a_released_lease_is_not_renewed(tmp_path: Path) -> None:
    async with desk(tmp_path, 2) as at:
        held = await at.claimed()
        at.keeper.release(held)
        first = at.work.leases[held.run].expires
        await at.work.until(renewals(at.work))
        assert at.work.leases[held.run].expires == first


@pytest.mark.parametrize("until", [-1.0, 0.0])
async def test_a_lease_whose_time_is_over_holds_nothing(until: float) -> None:
    assert Held("runs/r", 1, now() + until).remaining() == 0


def test_the_clock_counts_suspended_time() -> None:
    import time

    assert abs(now() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1
