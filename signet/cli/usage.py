"""`signet usage`: tokens and cost, summed, and the calls themselves."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from signet.cli.call import OUTPUTS, Call, leaf
from signet.cli.complete import AGENT, RUN
from signet.cli.words import cost, count, dim, ident, local, seconds

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from signet.client import Signet
    from signet.v1.usage_pb2 import Call as Row
    from signet.v1.usage_pb2 import ListUsageResponse, Usage

_BY = ("agent", "model", "provider", "session", "run", "day", "caller")
_HEADERS = ("CALLS", "INPUT", "CACHED", "OUTPUT", "COST")


@leaf("usage", epilog="Example: signet usage --by day --after 2026-11-01")
@click.option("--by", type=click.Choice(_BY), default="agent", show_default=True, help="What to sum by.")
@click.option("--calls", is_flag=True, help="Show the calls themselves, newest first.")
@click.option(
    "-o", "--output", type=click.Choice([*OUTPUTS, "csv"]), help="How to print; csv: unknown costs are empty."
)
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
    calls: bool,
    agent: str,
    run: str,
    after: datetime | None,
    before: datetime | None,
    limit: int,
    page_token: str,
) -> None:
    """Sum what model calls used, largest cost first, or show the calls."""
    from signet.cli.resolve import run_name

    with call.signet() as signet:
        asked: dict[str, Any] = {
            "agent": agent,
            "run": run_name(signet, run) if run else "",
            "after": after,
            "before": before,
            "page_size": limit,
            "page_token": page_token,
        }
        if calls:
            _calls(call, signet, asked)
        else:
            _sums(call, signet, by, asked)


def _sums(call: Call, signet: "Signet", by: str, asked: dict[str, Any]) -> None:
    from signet.cli.output import emit_all, more

    page = signet.usage.list(by=by, **asked).page()
    if call.output == "csv":
        _csv(page.rows)
    else:
        emit_all(call, page.rows, lambda _: _table(by, page))
    more(call, page.next_page_token)


def _calls(call: Call, signet: "Signet", asked: dict[str, Any]) -> None:
    from signet.cli.output import emit_all, more

    page = signet.usage.calls(**asked).page()
    if call.output == "csv":
        _csv(page.calls)
    else:
        emit_all(call, page.calls, _listed)
    more(call, page.next_page_token)


def _csv(rows: Iterable["Message"]) -> None:
    """Print rows as CSV with a header; the usage within a row becomes columns of its own."""
    import csv
    import sys

    from signet.cli.form import form

    writer = csv.writer(sys.stdout, lineterminator="\n")
    for index, row in enumerate(rows):
        value = form(row)
        flat = {name: part for name, part in value.items() if name != "usage"} | value["usage"]
        if index == 0:
            writer.writerow(flat)
        writer.writerow(["" if part is None else part for part in flat.values()])


def _listed(calls: "list[Row]") -> str:
    from signet.cli.table import columns

    return columns(
        ("TIME", "CALLER", "MODEL", "INPUT", "OUTPUT", "COST", "TOOK", "OUTCOME"),
        [
            (
                local(row.time),
                row.caller,
                ident(row.model) if row.model.startswith("models/") else row.model,
                count(row.usage.input_tokens),
                count(row.usage.output_tokens),
                _priced(row.usage),
                seconds(row.duration_micros),
                row.outcome,
            )
            for row in calls
        ],
        empty="no model was called yet",
    )


def _table(by: str, page: "ListUsageResponse") -> str:
    from signet.cli.table import columns

    rows = [(row.key or dim("none"), *_figures(row.usage)) for row in page.rows]
    if not rows:
        return columns((by.upper(), *_HEADERS), [], empty="no model was called yet")
    return columns((by.upper(), *_HEADERS), [*rows, (click.style("total", bold=True), *_figures(page.total))])


def _figures(used: "Usage") -> tuple[str, ...]:
    tokens = [count(number) for number in (used.calls, used.input_tokens, used.cached_tokens, used.output_tokens)]
    return (*tokens, _priced(used))


def _priced(used: "Usage") -> str:
    priced = cost(used.cost_microusd if used.HasField("cost_microusd") else None)
    return priced + (" (estimated)" if used.estimated else "")
