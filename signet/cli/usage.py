"""`signet usage`: tokens and cost, summed."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, leaf
from signet.cli.complete import AGENT, RUN
from signet.cli.words import cost, count, dim

if TYPE_CHECKING:
    from signet.v1.usage_pb2 import ListUsageResponse, Usage

_BY = ("agent", "model", "provider", "session", "run", "day")
_HEADERS = ("CALLS", "INPUT", "CACHED", "OUTPUT", "COST")


@leaf("usage", epilog="Example: signet usage --by day --after 2026-11-01")
@click.option("--by", type=click.Choice(_BY), default="agent", show_default=True, help="What to sum by.")
@click.option("--agent", default="", metavar="AGENT", shell_complete=AGENT, help="Only this agent's calls.")
@click.option("--run", default="", metavar="RUN", shell_complete=RUN, help="Only this run's calls.")
@click.option("--after", type=click.DateTime(), help="Only calls at or after this time.")
@click.option("--before", type=click.DateTime(), help="Only calls before this time.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many rows at most.")
@click.option("--page-token", default="", metavar="TOKEN", help="Go on where the previous page ended.")
def usage(
    call: Call,
    *,
    by: str,
    agent: str,
    run: str,
    after: datetime | None,
    before: datetime | None,
    limit: int,
    page_token: str,
) -> None:
    """Sum what model calls used, largest cost first."""
    from signet.cli.output import emit_all, more
    from signet.cli.resolve import run_name

    with call.signet() as signet:
        page = signet.usage.list(
            by=by,
            agent=agent,
            run=run_name(signet, run) if run else "",
            after=after,
            before=before,
            page_size=limit,
            page_token=page_token,
        ).page()
    emit_all(call, page.rows, lambda _: _table(by, page))
    more(call, page.next_page_token)


def _table(by: str, page: "ListUsageResponse") -> str:
    from signet.cli.table import columns

    rows = [(row.key or dim("none"), *_figures(row.usage)) for row in page.rows]
    if not rows:
        return columns((by.upper(), *_HEADERS), [], empty="no model was called yet")
    return columns((by.upper(), *_HEADERS), [*rows, (click.style("total", bold=True), *_figures(page.total))])


def _figures(used: "Usage") -> tuple[str, ...]:
    tokens = [count(number) for number in (used.calls, used.input_tokens, used.cached_tokens, used.output_tokens)]
    priced = cost(used.cost_microusd if used.HasField("cost_microusd") else None)
    return (*tokens, priced + (" (estimated)" if used.estimated else ""))
