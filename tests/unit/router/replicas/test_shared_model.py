"""Whatever comes, in whatever order and to whichever router, they decide and count together as one plain model."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.address import Address
from tests.harness.postgres import Postgres, ask
from tests.unit.router.budgets.plain import STEPS, Router, play
from tests.unit.router.replicas.desk import SharedDesk


class Together:
    """Routers on one database."""

    many = 2

    def __init__(self, address: Address) -> None:
        self.address = address

    async def open(self, now: int) -> Router:
        desk = SharedDesk(self.address, now)
        await desk.start()
        return desk

    async def lose(self, dead: Router, now: int, others: list[Router]) -> Router:
        """Have all others find out at once, and the new one, too."""
        opened = await self.open(now)
        desks = [each for each in (*others, opened) if isinstance(each, SharedDesk)]
        assert isinstance(dead, SharedDesk)
        await asyncio.gather(*(desk.bury(dead) for desk in desks))
        return opened

    async def count(self, budget: str, subject: str, when: str) -> tuple[int, int | None]:
        query = 'SELECT used, held FROM budget_uses WHERE budget = $1 AND subject = $2 AND "window" = $3'
        found = await ask(self.address.url, query, budget, subject, when)
        return (int(str(found[0][0])), int(str(found[0][1]))) if found else (0, 0)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        return await ask(self.address.url, query)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(STEPS, max_size=14))
def test_routers_on_one_database_do_as_a_plain_model(server: Postgres, steps: list[tuple[object, ...]]) -> None:
    async def example() -> None:
        await play(steps, Together(Address(await server.database("made"))))

    asyncio.run(example())
