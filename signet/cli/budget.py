"""`signet budget`: limits of what calls may use, and the switch that stops all spending."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

import click

from signet.cli.call import Call, Noun
from signet.cli.complete import BUDGET
from signet.cli.dollars import MICRO, Dollars
from signet.cli.words import cost, count, ident, local

if TYPE_CHECKING:
    from signet.v1.budgets_pb2 import Budget, Freeze

_COUNT = click.IntRange(0, (1 << 63) - 1)


@click.group("budget", cls=Noun)
def budget() -> None:
    """Budgets: what calls may use, and the switch that stops all spending."""


@budget.command("set", epilog="Example: signet budget set each-agent --subject agents/- --cost 1.50 --period day")
@click.argument("name", shell_complete=BUDGET)
@click.option("--cost", "dollars", type=Dollars(), metavar="USD", help="Limit in dollars.")
@click.option("--tokens", type=_COUNT, metavar="COUNT", help="Limit of tokens read and generated.")
@click.option("--requests", type=_COUNT, metavar="COUNT", help="Limit of calls.")
@click.option("--seconds", type=_COUNT, metavar="COUNT", help="Limit of seconds that calls take.")
@click.option(
    "--period",
    type=click.Choice(["whole", "day", "month"]),
    default="whole",
    show_default=True,
    help="When the count begins anew, in UTC.",
)
@click.option(
    "--subject",
    default="",
    metavar="NAME",
    help="agents/…, tokens/…, sessions/…, runs/…, providers/… or apis/…; agents/-, sessions/-, runs/-: each by itself; "
    "without it everything together.",
)
@click.option("--warn-at", type=Dollars(), metavar="AMOUNT", help="Warn from here on, in the limit's unit.")
@click.option("--soft", is_flag=True, help="Only warn at the limit.")
@click.option(
    "--unknown-price",
    type=click.Choice(["refuse", "allow"]),
    default="refuse",
    show_default=True,
    help="What a call of unknown price may do, with --cost.",
)
@click.pass_obj
def set_(
    call: Call,
    *,
    name: str,
    dollars: Decimal | None,
    tokens: int | None,
    requests: int | None,
    seconds: int | None,
    period: str,
    subject: str,
    warn_at: Decimal | None,
    soft: bool,
    unknown_price: str,
) -> None:
    """Set a limit: of dollars, tokens, calls or seconds. One of the same name is replaced; its count stays."""
    from signet.cli.output import emit

    limits = {"cost": dollars, "tokens": tokens, "requests": requests, "seconds": seconds}
    said = [(measure, value) for measure, value in limits.items() if value is not None]
    if len(said) != 1:
        raise click.UsageError("give one limit: --cost, --tokens, --requests or --seconds")
    measure, limit = said[0]
    each = MICRO if measure == "cost" else 1
    with call.signet() as signet:
        kept = signet.budgets.put(
            name,
            _whole(Decimal(limit) * each, ROUND_FLOOR),
            measure=measure,
            period=period,
            subject=subject,
            warn_at=_whole((warn_at or Decimal(0)) * each, ROUND_CEILING),
            soft=soft,
            unknown_price=unknown_price,
        )
    emit(call, kept, lambda kept: f"{kept.name}: {_used(kept)} of {_amount(kept, kept.limit)} used")


@budget.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """List budgets with their use now; of a budget for each of a kind, the most of any one."""
    from signet.cli.output import emit_all

    with call.signet() as signet:
        found = list(signet.budgets.list())
        frozen = signet.budgets.frozen()
    emit_all(call, found, _table)
    if frozen.frozen:
        call.say(_frozen(frozen))


@budget.command("show")
@click.argument("name", shell_complete=BUDGET)
@click.pass_obj
def show(call: Call, *, name: str) -> None:
    """Show one budget with its use now."""
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.budgets.get(name)
    emit(call, found, _page)


@budget.command("delete")
@click.argument("name", shell_complete=BUDGET)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def delete(call: Call, *, name: str, yes: bool) -> None:
    """Remove a budget and its count."""
    from signet.cli.ask import confirm
    from signet.cli.output import emit

    with call.signet() as signet:
        found = signet.budgets.get(name)
        confirm(f"delete {found.name}? What it limited is limited no more", yes=yes)
        signet.budgets.delete(found.name)
    emit(call, found, lambda found: f"{found.name} is gone")


@budget.command("freeze", epilog='Example: signet budget freeze --cut --reason "the key leaked"')
@click.option("--reason", default="", metavar="TEXT", help="Why, for people.")
@click.option("--cut", is_flag=True, help="Also end calls that run.")
@click.pass_obj
def freeze(call: Call, *, reason: str, cut: bool) -> None:
    """Stop all spending at once: no call is sent until `unfreeze`, not even after a restart."""
    from signet.cli.output import emit

    with call.signet() as signet:
        emit(call, signet.budgets.freeze(reason, cut=cut), _frozen, name="frozen")


@budget.command("unfreeze")
@click.option("--reason", default="", metavar="TEXT", help="Why, for people.")
@click.pass_obj
def unfreeze(call: Call, *, reason: str) -> None:
    """Let spending go on."""
    from signet.cli.output import emit

    with call.signet() as signet:
        emit(call, signet.budgets.unfreeze(reason), lambda _: "spending goes on", name="unfrozen")


def _whole(amount: Decimal, rounding: str) -> int:
    return int(amount.to_integral_value(rounding))


def _measure(found: "Budget") -> str:
    from signet.cli.form import word

    return word(found, "measure").lower()


def _amount(found: "Budget", amount: int) -> str:
    measure = _measure(found)
    if measure == "cost":
        return cost(amount)
    return f"{count(amount)} {'s' if measure == 'seconds' else measure}"


def _used(found: "Budget") -> str:
    held = f" + {_amount(found, found.reserved)} held" if found.reserved else ""
    return _amount(found, found.used) + held


def _whose(found: "Budget") -> str:
    return found.subject.replace("/-", "/- (each)") or "everything"


def _kind(found: "Budget") -> str:
    return "soft" if found.soft else "hard"


def _frozen(state: "Freeze") -> str:
    why = f": {state.reason}" if state.reason else ""
    return f"all spending is stopped since {local(state.time)} by {state.caller}{why}"


def _table(budgets: "list[Budget]") -> str:
    from signet.cli.form import word
    from signet.cli.table import columns

    return columns(
        ("NAME", "OF", "USED", "LIMIT", "PERIOD", "KIND"),
        [
            (
                ident(found.name),
                _whose(found),
                _used(found),
                _amount(found, found.limit),
                word(found, "period").lower(),
                _kind(found),
            )
            for found in budgets
        ],
        empty="no budget: signet budget set NAME --cost USD",
    )


def _page(found: "Budget") -> str:
    from signet.cli.form import word
    from signet.cli.table import pairs

    return pairs(
        [
            ("name", found.name),
            ("of", _whose(found)),
            ("used", _used(found)),
            ("limit", f"{_amount(found, found.limit)}, {_kind(found)}"),
            (
                "warns at",
                _amount(found, found.warn_at) + (" (warned)" if found.warned else "") if found.warn_at else "",
            ),
            ("period", word(found, "period").lower()),
            ("begins anew", local(found.reset_time) if found.HasField("reset_time") else ""),
            ("unknown price", word(found, "unknown_price").lower() if _measure(found) == "cost" else ""),
            ("created", local(found.create_time)),
        ]
    )
