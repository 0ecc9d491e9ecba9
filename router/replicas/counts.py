"""Counts that several routers share: the database decides, so nothing is decided here."""

from collections.abc import Iterable

from router.budgets.budget import Budget
from router.budgets.period import window
from router.budgets.reservation import Reservation
from router.budgets.subjects import Subjects
from router.store.shared_budgets import SharedUses


class SharedCounts:
    """Tells how budgets stand."""

    def __init__(self, uses: SharedUses) -> None:
        self._uses = uses

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
        return await self._uses.most(budget.id, window(budget.period, micros))
