"""Budgets: limits of what calls may use, and the switch that stops all spending."""

from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify, utf8
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.kit.errors import invalid
from signet.v1 import budgets_pb2 as pb
from signet.v1.budgets_pb2_grpc import BudgetServiceStub

if TYPE_CHECKING:
    from signet.v1.budgets_pb2_grpc import BudgetServiceAsyncStub

MEASURES = ("cost", "tokens", "requests", "seconds")
"""What can be counted."""

PERIODS = ("whole", "day", "month")
"""When a count begins anew: never, at midnight, on the first of the month, in UTC."""

UNKNOWN_PRICES = ("refuse", "allow")
"""What a call may do whose price nobody knows."""


class AsyncBudgets:
    """The budgets of a fleet. Names may be short (`daily`) or full (`budgets/daily`)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "BudgetServiceAsyncStub":
        return BudgetServiceStub(self._connection.channels.router)

    async def put(
        self,
        name: str,
        limit: int,
        *,
        measure: str = "cost",
        period: str = "whole",
        subject: str = "",
        warn_at: int = 0,
        soft: bool = False,
        unknown_price: str = "refuse",
    ) -> pb.Budget:
        """Store a budget, over an earlier one of the name, whose count stays where it counts the same.

        `limit` and `warn_at` (0: never) are micro-USD, tokens, calls or seconds, by `measure`, one of MEASURES;
        `period` is one of PERIODS. `subject`: `agents/{agent}`, `tokens/{token}`, `sessions/{session}`, `runs/{run}`,
        `providers/{provider}`, `apis/{api}`; `agents/-`, `sessions/-`, `runs/-` for each by itself; empty for
        everything together. `soft` only warns. Raises InvalidArgument, ResourceExhausted.
        """
        budget = pb.Budget(
            name=qualify("budgets", name),
            subject=utf8("subject", subject),
            measure=f"BUDGET_MEASURE_{_one('measure', measure, MEASURES)}",
            period=f"BUDGET_PERIOD_{_one('period', period, PERIODS)}",
            limit=limit,
            warn_at=warn_at,
            soft=soft,
            unknown_price=f"UNKNOWN_PRICE_{_one('unknown_price', unknown_price, UNKNOWN_PRICES)}",
        )
        return (await self._connection.call(self._stub.PutBudget, pb.PutBudgetRequest(budget=budget))).budget

    async def get(self, name: str) -> pb.Budget:
        """Give one budget with its use now. Raises NotFound."""
        request = pb.GetBudgetRequest(name=qualify("budgets", name))
        return (await self._connection.call(self._stub.GetBudget, request)).budget

    def list(self, *, page_size: int = 0, page_token: str = "") -> Pages[pb.ListBudgetsResponse, pb.Budget]:
        """Give all budgets with their use now, by name."""
        request = pb.ListBudgetsRequest(page_size=page_size, page_token=page_token)
        return Pages(self._connection, lambda: self._stub.ListBudgets, request, lambda page: page.budgets)

    async def delete(self, name: str) -> None:
        """Remove a budget and its count. Raises NotFound."""
        request = pb.DeleteBudgetRequest(name=qualify("budgets", name))
        await self._connection.call(self._stub.DeleteBudget, request, repeat=False)

    async def freeze(self, reason: str = "", *, cut: bool = False) -> pb.Freeze:
        """Stop all spending; with `cut` calls that run are ended, too. `reason`: a line for people."""
        request = pb.SetFreezeRequest(frozen=True, reason=utf8("reason", reason), cut=cut)
        return (await self._connection.call(self._stub.SetFreeze, request)).freeze

    async def unfreeze(self, reason: str = "") -> pb.Freeze:
        """Let spending go on."""
        request = pb.SetFreezeRequest(frozen=False, reason=utf8("reason", reason))
        return (await self._connection.call(self._stub.SetFreeze, request)).freeze

    async def frozen(self) -> pb.Freeze:
        """Tell whether spending is stopped, since when, by whom, and why."""
        return (await self._connection.call(self._stub.GetFreeze, pb.GetFreezeRequest())).freeze


def _one(field: str, word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise invalid((field, f"must be one of {', '.join(words)}, not {word!r}"))
    return word.upper()
