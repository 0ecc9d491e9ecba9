"""A plain model of what budgets hold and count, and a run of one meter, or of several on one database, beside it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol

from hypothesis import strategies as st

from router.authorise import Identity
from router.budgets.budget import COST, TOKENS, Budget
from router.budgets.meter import Meter
from router.budgets.period import DAY as DAILY
from router.budgets.period import WHOLE, window
from router.budgets.reservation import Reservation
from router.refusal import Refusal
from tests.unit.router.budgets.desk import DAY, NOON, row, who

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
    router: int = 0
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


class Router(Protocol):
    """A router's meter, whose clock the run sets."""

    now: int
    meter: Meter

    async def reserve(self, cost: int | None, by: Identity, *, tokens: int) -> Reservation:
        """Reserve a call."""

    async def crash(self) -> None:
        """End as a killed process does."""


class House(Protocol):
    """Where routers are opened, and a database that can be asked."""

    many: int

    async def open(self, now: int) -> Router:
        """Open a router."""

    async def lose(self, dead: Router, now: int, others: list[Router]) -> Router:
        """Settle what a dead router held, in the way in which that is done here, and open another one."""

    async def count(self, budget: str, subject: str, when: str) -> tuple[int, int | None]:
        """Give what is used of a budget, and held if the database has that."""

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database from outside."""


class Run:
    """One example: the routers and their model, side by side."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.model = Model()
        self.routers: list[Router] = []

    @property
    def now(self) -> int:
        return self.routers[0].now

    @now.setter
    def now(self, micros: int) -> None:
        for router in self.routers:
            router.now = micros

    async def start(self) -> None:
        for _ in range(self.house.many):
            self.routers.append(await self.house.open(NOON))
        for number, budget in enumerate(BUDGETS):
            await self.routers[number % len(self.routers)].meter.put(budget)

    async def stop(self) -> None:
        for router in self.routers:
            await router.crash()

    async def reserve(self, agent: str, cost: int, tokens: int, times: int) -> None:
        """Reserve several calls at once, at all routers; the model takes them one after the other."""

        async def one(number: int) -> tuple[int, Reservation | None]:
            try:
                return number, await self.routers[number].reserve(cost, who(agent), tokens=tokens)
            except Refusal:
                return number, None

        given = await asyncio.gather(*(one((cost + turn) % len(self.routers)) for turn in range(times)))
        for number, reservation in sorted(given, key=lambda each: each[1] is None):  # who was first, nobody knows
            assert self.model.admits(agent, self.now, cost, tokens) == (reservation is not None)
            if reservation is not None:
                plain = Plain(agent, self.now, cost, tokens, reservation.call, number, reservation)
                self.model.calls.append(plain)

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
        number = ending % len(self.routers)
        dead, now = self.routers[number], self.now
        doomed = [call for call in self.model.live() if call.router == number][:ending]
        held = [call.reservation for call in doomed if call.reservation]
        tasks = [asyncio.create_task(each.settle(row(each, 1, tokens=1))) for each in held]
        new = asyncio.create_task(dead.reserve(7, who("a2"), tokens=1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await dead.crash()
        for task in (*tasks, new):
            task.cancel()
        await asyncio.wait([*tasks, new])
        others = [router for router in self.routers if router is not dead]
        self.routers[number] = await self.house.lose(dead, now, others)
        await self._recount(doomed, number, now)

    async def _recount(self, doomed: list[Plain], number: int, now: int) -> None:
        query = "SELECT id, outcome, cost_microusd, input_tokens + output_tokens, agent FROM calls"
        found = {
            ident: (outcome, (cost, tokens), agent)
            for ident, outcome, cost, tokens, agent in await self.house.rows(query)
        }
        for call in self.model.calls:
            if call.released or (call.ended is None and call.router != number):
                continue
            outcome, counted, _ = found.pop(call.ident)
            if call.ended is None:
                settled = call in doomed and outcome == "answered"
                assert settled or outcome == "lost"
                assert counted == ((1, 1) if settled else (call.cost, call.tokens))
                call.ended = counted
        for ident, (outcome, counted, agent) in found.items():  # what was being reserved
            assert (outcome, counted, agent) == ("lost", (7, 1), "agents/a2")
            self.model.calls.append(Plain("a2", now, 7, 1, ident, number, ended=counted))

    async def check(self) -> None:
        windows = {call.micros for call in self.model.calls} | {self.now}
        for budget in BUDGETS:
            for when in {window(budget.period, micros) for micros in windows}:
                for agent in ("a1", "a2"):
                    subject = f"agents/{agent}" if budget.subject.startswith("agents/") else budget.subject
                    if budget.subject == "agents/a1" and agent != "a1":
                        continue
                    used, held = await self.house.count(budget.id, subject, when)
                    assert used == self.model.sum(budget, agent, when, live=False)
                    assert held is None or held == self.model.sum(budget, agent, when, live=True)
                    assert budget.soft or used + (held or 0) <= budget.limit


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


async def play(steps: list[tuple[object, ...]], house: House) -> None:
    """Do steps, as STEPS makes them, and compare after each."""
    run = Run(house)
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
                run.now = NOON + (run.now - NOON + int(str(rest[0])) * DAY) % (90 * DAY)
            await run.check()
    finally:
        await run.stop()
