"""What control is told of the sandboxes here: everything that people are shown, after each change."""

import asyncio
from collections.abc import Sequence

from signet.kit.errors import Unavailable
from signet.kit.log import get
from signet.v1 import sandboxes_pb2
from signet.work.v1 import work_pb2
from tests.unit.life.conftest import Lodge
from workers.open import OpenSandboxes


class Told:
    """Control, that is told and answers. `away` refuses as often as it says."""

    def __init__(self) -> None:
        self.reports: list[Sequence[sandboxes_pb2.Sandbox]] = []
        self.answer: list[work_pb2.PolicyOrder] = []
        self.away = 0
        self._news = asyncio.Condition()

    async def report(self, sandboxes: Sequence[sandboxes_pb2.Sandbox]) -> Sequence[work_pb2.PolicyOrder]:
        if self.away:
            self.away -= 1
            raise Unavailable("CONTROL_UNAVAILABLE", "away")
        async with self._news:
            self.reports.append(sandboxes)
            self._news.notify_all()
        return self.answer

    async def until(self, *states: int) -> Sequence[sandboxes_pb2.Sandbox]:
        """Wait until the newest report has sandboxes in these states."""
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(lambda: self.reports and [one.state for one in self.reports[-1]] == list(states))
            return self.reports[-1]


async def test_each_change_is_told_with_all_that_people_see(lodge: Lodge) -> None:
    told, lacking = Told(), list[work_pb2.PolicyOrder]()
    told.away, told.answer = 2, [lodge.order()]
    opened = OpenSandboxes("here", lodge.pool, told.report, lacking.append, get("test"))
    running = asyncio.create_task(opened.run())
    try:
        call = await lodge.run("/bin/sleep", "1000")
        (busy,) = await told.until(sandboxes_pb2.SANDBOX_STATE_BUSY)
        await call.leave()
        (idle,) = await told.until(sandboxes_pb2.SANDBOX_STATE_IDLE)
        await lodge.pool.stop(idle.name.rpartition(".")[2], force=False)
        await told.until()
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert busy.name.startswith("sandboxes/here.scribe-")
    assert (busy.agent, busy.worker, busy.run, busy.tier) == ("agents/scribe", "workers/here", "", "standard")
    assert (busy.policy, busy.policy_version) == ("policies/default", 1)
    assert busy.policy_digest == lodge.order().policy.digest
    assert not busy.outdated
    assert "person" in busy.detail
    assert {layer.name for layer in busy.isolation.layers} >= {"landlock", "seccomp"}
    assert busy.processes >= 1
    assert busy.open_time.seconds > 0
    assert idle.detail == ""
    assert lacking[0] == lodge.order()
