"""Usage: the router's ledger of calls, and its sums."""

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from signet.client.checks import qualify_optional, timestamp
from signet.client.connection import Connection
from signet.client.pages import Pages
from signet.kit.errors import invalid
from signet.v1 import usage_pb2 as pb
from signet.v1.usage_pb2_grpc import UsageServiceStub

if TYPE_CHECKING:
    from signet.v1.usage_pb2_grpc import UsageServiceAsyncStub

DIMENSIONS = ("agent", "model", "run", "day", "session", "provider", "caller")
"""What usage can be summed by."""


class AsyncUsage:
    """The ledger of a fleet."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def _stub(self) -> "UsageServiceAsyncStub":
        return UsageServiceStub(self._connection.channels.router)

    def list(
        self,
        *,
        by: str = "agent",
        run: str = "",
        agent: str = "",
        after: datetime | None = None,
        before: datetime | None = None,
        page_size: int = 0,
        page_token: str = "",
    ) -> Pages[pb.ListUsageResponse, pb.UsageRow]:
        """Give the sums by one of DIMENSIONS, largest cost first; `page()` has the total too.

        Raises InvalidArgument for another dimension. Costs are micro-USD; unset where a price is unknown.
        """
        if by not in DIMENSIONS:
            raise invalid(("by", f"must be one of {', '.join(DIMENSIONS)}, not {by!r}"))
        request = pb.ListUsageRequest(
            dimension=f"USAGE_DIMENSION_{by.upper()}",
            run=qualify_optional("runs", run),
            agent=qualify_optional("agents", agent),
            after=timestamp(after),
            before=timestamp(before),
            page_size=page_size,
            page_token=page_token,
        )
        return Pages(self._connection, lambda: self._stub.ListUsage, request, lambda page: page.rows)

    def calls(
        self,
        *,
        run: str = "",
        agent: str = "",
        after: datetime | None = None,
        before: datetime | None = None,
        page_size: int = 0,
        page_token: str = "",
    ) -> Pages[pb.ListCallsResponse, pb.Call]:
        """Give the calls themselves, newest first."""
        request = pb.ListCallsRequest(
            run=qualify_optional("runs", run),
            agent=qualify_optional("agents", agent),
            after=timestamp(after),
            before=timestamp(before),
            page_size=page_size,
            page_token=page_token,
        )
        return Pages(self._connection, lambda: self._stub.ListCalls, request, lambda page: page.calls)
