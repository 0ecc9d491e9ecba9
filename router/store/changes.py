"""What can be changed about budgets, as work for the journal."""

from typing import Protocol

from router.budgets.budget import Budget
from router.budgets.freeze import Freeze
from router.store.journal import Work


class Changes(Protocol):
    """Makes works for one kind of database. Those on budgets give all budgets that there are after it."""

    def put(self, budget: Budget, micros: int) -> Work:
        """Store a budget, over an earlier one of the id; its count is kept where it counts the same.

        Else the count is made from the ledger's rows of the window of a time. Whether it was warned of is forgotten.
        """

    def remove(self, ident: str) -> Work:
        """Forget a budget and its counts."""

    def keep(self, freeze: Freeze) -> Work:
        """Store the stop switch."""
