"""Counts that several routers share: the database decides, so nothing is decided here."""

from collections.abc import Iterable

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from router.budgets.budget import Budget
from router.budgets.period import window
from router.budgets.reservation import Reservation
from router.budgets.subjects import Subjects
from router.store.database import reading
from router.store.schema import budget_uses


class SharedCounts:
    """Reads how budgets stand."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reading = reading(engine)

    def fit(self, reservation: Reservation) -> None:
        """Leave it to the group that it is written in."""

    def hold(self, reservation: Reservation) -> None:
        """Leave it to the same."""

    def free(self, reservation: Reservation) -> None:
        """Leave it to the group in which it ends."""

    def index(self, subjects: Subjects, live: Iterable[Reservation]) -> None:
        """Leave it to whoever changed budgets."""

    async def state(self, budget: Budget, micros: int) -> tuple[int, int, bool]:
        """Give what is used and held in the window of a time, and whether it was warned of. Raises SignetError."""
        uses = budget_uses.c
        most = [func.max(each) for each in (uses.used, uses.held, cast(uses.warned, Integer))]
        when = window(budget.period, micros)
        query = select(*most).where(uses.budget == budget.id, uses.window == when)
        async with self._reading.connect() as connection:
            row = (await connection.execute(query)).one()
        return row[0] or 0, row[1] or 0, bool(row[2])
