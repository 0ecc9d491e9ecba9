"""Whatever comes, in whatever order, the meter decides and counts as a plain model: with cuts, crashes and restarts."""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.budgets.budget import COST, TOKENS, Budget
from router.budgets.period import DAY as DAILY
from router.budgets.period import WHOLE, window
from router.budgets.reservation import Reservation
from router.refusal import Refusal
from router.store.database import open_database
from tests.unit.router.budgets.desk import DAY, NOON, Desk, row, who

BUDGETS = (
    Budget("all", "", COST, WHOLE, limit=1_000),
    Budget("daily", "agents/-", COST, DAILY, limit=300),
    Budget("tokens", "agents/a1", TOKENS, WHOLE, limit=200),
    Budget("soft", "providers/acme", TOKENS, DAILY, limit=50, soft=True),
)


@dataclass
class Plain:
    """A call as the model has it; `ended` says what it counted in the end: cost and tokens."""

    agent: str
    micros: int
    cost: int
    tokens: int
    ident: str
    reservation: Reservation | None = None
    ended: tuple[int, int] | None = None
    released: bool = False


@dataclass
class Model:
    """Budgets, worked out anew from all calls whenever they are asked."""

    calls: list[Plain] = field(default_factory=list)

    def sum(self, budget: Budget, agent: str, when: str, *, live: bool) -> int:
        total = 0
        for call in self.calls:
            each = budget.subject in ("agents/-", "agents/a1")
            ours = window(budget.period, call.micros) == when and (not each or call.agent == agent)
            if ours and live == (call.ended is None):
                cost, tokens = call.ended or (call.cost, call.tokens)
                total += cost if budget.measure == COST else tokens
        return total

    def admits(self, agent: str, micros: int, cost: int, tokens: int) -> bool:
        for budget in BUDGETS:
            if budget.soft or (budget.subject == "agents/a1" and agent != "a1"):
                continue
            when = window(budget.period, micros)
            taken = sum(self.sum(budget, agent, when, live=live) for live in (False, True))
            if taken + (cost if budget.measure == COST else tokens) > budget.limit:
                return False
        return True

    def live(self) -> list[Plain]:
        return [call for call in self.calls if call.ended is None]


class Run:
    """One example: the meter and its model, side by side."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "router.db"
        self.model = Model()
        self.desk = Desk(self.path)

    async def start(self) -> None:
        for budget in BUDGETS:
            await self.desk.meter.put(budget)

    async def reserve(self, agent: str, cost: int, tokens: int, times: int) -> None:
        """Reserve several calls at once; the model takes them one after the other."""

        async def one() -> Reservation | None:
            try:
                return await self.desk.reserve(cost, who(agent), tokens=tokens)
            except Refusal:
                return None

        given = await asyncio.gather(*(one() for _ in range(times)))
        for reservation in given:
            assert self.model.admits(agent, self.desk.now, cost, tokens) == (reservation is not None)
            if reservation is not None:
                self.model.calls.append(Plain(agent, self.desk.now, cost, tokens, reservation.call, reservation))

    async def end(self, which: int, share: float, how: str) -> None:
        """End a call: settled, settled twice at once, cut off, released, or left without a word."""
        live = self.model.live()
        call = live[which % len(live)] if live else None
        held = call.reservation if call else None
        if call is None or held is None:
            return
        cost, tokens = int(call.cost * share), int(call.tokens * share)
        if how == "release":
            await held.release()
            call.ended, call.released = (0, 0), True
        elif how == "twice":
            await asyncio.gather(held.settle(row(held, cost, tokens=tokens)), held.settle(row(held, 0, tokens=0)))
            call.ended = (cost, tokens)
        elif how == "cut":
            await self._cut(held, cost, tokens)
            call.ended = (cost, tokens)
        elif how == "lost":
            async with held:
                pass
            call.ended = (call.cost, call.tokens)
        else:
            await held.settle(row(held, cost, tokens=tokens))
            call.ended = (cost, tokens)

    async def _cut(self, held: Reservation, cost: int, tokens: int) -> None:
        began = asyncio.Event()

        async def work() -> None:
            async with held:
                began.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    await held.settle(row(held, cost, tokens=tokens, outcome="left"))

        task = asyncio.create_task(work())
        await began.wait()
        task.cancel()
        await asyncio.wait([task])

    async def crash(self, ending: int) -> None:
        """Die while the first few calls are being settled, and some are being reserved; start again."""
        doomed = self.model.live()[:ending]
        held = [call.reservation for call in doomed if call.reservation]
        tasks = [asyncio.create_task(each.settle(row(each, 1, tokens=1))) for each in held]
        new = asyncio.create_task(self.desk.reserve(7, who("a2"), tokens=1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await self.desk.crash()
        for task in (*tasks, new):
            task.cancel()
        await asyncio.wait([*tasks, new])
        now = self.desk.now
        self.desk = Desk(self.path, now)
        self._recount(doomed, now)

    def _recount(self, doomed: list[Plain], now: int) -> None:
        query = "SELECT id, outcome, cost_microusd, input_tokens + output_tokens, agent FROM calls"
        found = {
            ident: (outcome, (cost, tokens), agent) for ident, outcome, cost, tokens, agent in self.desk.rows(query)
        }
        for call in self.model.calls:
            if call.released:
                continue
            outcome, counted, _ = found.pop(call.ident)
            if call.ended is None:
                settled = call in doomed and outcome == "answered"
                assert settled or outcome == "lost"
                assert counted == ((1, 1) if settled else (call.cost, call.tokens))
                call.ended = counted
        for ident, (outcome, counted, agent) in found.items():  # what was being reserved
            assert (outcome, counted, agent) == ("lost", (7, 1), "agents/a2")
            self.model.calls.append(Plain("a2", now, 7, 1, ident, ended=counted))

    def check(self) -> None:
        windows = {call.micros for call in self.model.calls} | {self.desk.now}
        for budget in BUDGETS:
            for when in {window(budget.period, micros) for micros in windows}:
                for agent in ("a1", "a2"):
                    subject = f"agents/{agent}" if budget.subject.startswith("agents/") else budget.subject
                    if budget.subject == "agents/a1" and agent != "a1":
                        continue
                    used = self.model.sum(budget, agent, when, live=False)
                    assert self.desk.kept.use(budget.id, subject, when)[0] == used
                    assert budget.soft or used <= budget.limit


STEPS = st.one_of(
    st.tuples(
        st.just("reserve"),
        st.sampled_from(["a1", "a2"]),
        st.integers(0, 320),
        st.integers(0, 90),
        st.integers(1, 6),
    ),
    st.tuples(
        st.just("end"),
        st.integers(0, 9),
        st.floats(0, 1),
        st.sampled_from(["settle", "twice", "cut", "release", "lost"]),
    ),
    st.tuples(st.just("crash"), st.integers(0, 4)),
    st.tuples(st.just("jump"), st.sampled_from([-1, 1, 30])),
)


async def play(steps: list[tuple[object, ...]], empty: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(empty, Path(folder) / "router.db")
        run = Run(Path(folder))
        await run.start()
        try:
            for name, *rest in steps:
                if name == "reserve":
                    await run.reserve(*rest)  # type: ignore[arg-type] # as STEPS makes them
                elif name == "end":
                    await run.end(*rest)  # type: ignore[arg-type] # as above
                elif name == "crash":
                    await run.crash(*rest)  # type: ignore[arg-type] # as above
                else:
                    run.desk.now = NOON + (run.desk.now - NOON + int(str(rest[0])) * DAY) % (90 * DAY)
                run.check()
        finally:
            await run.desk.crash()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database once: migrations take longer than an example."""
    path = tmp_path_factory.mktemp("empty") / "router.db"
    asyncio.run(open_database(path).dispose())
    return path


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(STEPS, max_size=14))
def test_the_meter_does_as_a_plain_model(empty: Path, steps: list[tuple[object, ...]]) -> None:
    asyncio.run(play(steps, empty))
