"""UsageService: sums of the ledger, and its rows."""

from typing import Any

from router.store.ledger import Filter, Ledger, Row, Total
from signet.kit.errors import invalid
from signet.kit.names import parse
from signet.kit.paging import Page
from signet.kit.times import micros, stamp
from signet.v1 import usage_pb2 as pb
from signet.v1.usage_pb2_grpc import UsageServiceServicer


class Usages(UsageServiceServicer):
    """Answers from committed rows."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def ListUsage(self, request: pb.ListUsageRequest, context: Any) -> pb.ListUsageResponse:
        """Sum the ledger by the asked dimension."""
        page = Page.parse(request)
        offset = int(page.position[0]) if page.position else 0
        wanted = _filter(request)
        rows = await self._ledger.totals(_dimension(request), wanted, offset=offset, limit=page.size + 1)
        token = page.token(offset + page.size) if len(rows) > page.size else ""
        return pb.ListUsageResponse(
            rows=[pb.UsageRow(key=row.key, usage=_wire(row)) for row in rows[: page.size]],
            next_page_token=token,
            total=_wire(await self._ledger.total(wanted)),
        )

    async def ListCalls(self, request: pb.ListCallsRequest, context: Any) -> pb.ListCallsResponse:
        """Return calls, newest first, a page at a time."""
        page = Page.parse(request)
        after = (int(page.position[0]), str(page.position[1])) if page.position else None
        rows = await self._ledger.rows(_filter(request), after=after, limit=page.size + 1)
        last = rows[page.size - 1] if len(rows) > page.size else None
        token = page.token(last.time_micros, last.id) if last else ""
        return pb.ListCallsResponse(calls=[_call(row) for row in rows[: page.size]], next_page_token=token)


def _dimension(request: pb.ListUsageRequest) -> str:
    try:
        name = pb.UsageDimension.Name(request.dimension).removeprefix("USAGE_DIMENSION_")
    except ValueError as error:
        raise invalid(("dimension", "must be one of UsageDimension")) from error
    return "AGENT" if name == "UNSPECIFIED" else name


def _filter(request: pb.ListUsageRequest | pb.ListCallsRequest) -> Filter:
    if request.run:
        parse("runs", request.run, "run")
    if request.agent:
        parse("agents", request.agent, "agent")
    return Filter(
        run=request.run,
        agent=request.agent,
        after_micros=micros(request.after) if request.HasField("after") else None,
        before_micros=micros(request.before) if request.HasField("before") else None,
    )


def _wire(total: Total) -> pb.Usage:
    return pb.Usage(
        input_tokens=total.usage.input_tokens,
        output_tokens=total.usage.output_tokens,
        cached_tokens=total.usage.cached_tokens,
        reasoning_tokens=total.usage.reasoning_tokens,
        cost_microusd=total.cost_microusd,
        estimated=total.usage.estimated,
        cache_write_tokens=total.usage.cache_write_tokens,
        calls=total.calls,
    )


def _call(row: Row) -> pb.Call:
    return pb.Call(
        name=f"calls/{row.id}",
        time=stamp(row.time_micros),
        caller=row.caller,
        run=row.run,
        agent=row.agent,
        session=row.session,
        model=row.model,
        provider=row.provider,
        upstream_model=row.upstream_model,
        usage=pb.Usage(
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
            cached_tokens=row.cached_tokens,
            reasoning_tokens=row.reasoning_tokens,
            cost_microusd=row.cost_microusd,
            estimated=row.estimated,
            cache_write_tokens=row.cache_write_tokens,
            calls=1,
        ),
        price_source=row.price_source,
        queue_micros=row.queue_micros,
        first_byte_micros=row.first_byte_micros,
        duration_micros=row.duration_micros,
        outcome=row.outcome,
        attempts=row.attempts,
    )
