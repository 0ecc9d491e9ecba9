"""BudgetService: limits of what calls may use, and the stop switch."""

from typing import Any

from router.budgets.budget import ALLOW, EACH, MOST, REFUSE, Budget
from router.budgets.freeze import Freeze
from router.budgets.meter import Meter
from router.budgets.period import reset
from signet.kit.auth import current_caller
from signet.kit.errors import invalid
from signet.kit.names import SLUG, parse_slug
from signet.kit.paging import Page
from signet.kit.times import stamp
from signet.v1 import budgets_pb2 as pb
from signet.v1.budgets_pb2_grpc import BudgetServiceServicer

_COLLECTIONS = ("agents", "tokens", "sessions", "runs", "providers", "apis")
_MAX_SUBJECT = 200
_MAX_REASON = 200


class BudgetServer(BudgetServiceServicer):
    """Answers from the meter."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    async def PutBudget(self, request: pb.PutBudgetRequest, context: Any) -> pb.PutBudgetResponse:
        """Store a budget."""
        return pb.PutBudgetResponse(budget=await self._wire(await self._meter.put(read(request.budget))))

    async def GetBudget(self, request: pb.GetBudgetRequest, context: Any) -> pb.GetBudgetResponse:
        """Return a budget with its use now."""
        budget = self._meter.budget(parse_slug("budgets", request.name))
        return pb.GetBudgetResponse(budget=await self._wire(budget))

    async def ListBudgets(self, request: pb.ListBudgetsRequest, context: Any) -> pb.ListBudgetsResponse:
        """Return budgets by name, a page at a time."""
        page = Page.parse(request)
        after = str(page.position[0]) if page.position else ""
        found = [budget for budget in self._meter.budgets() if budget.id > after]
        token = page.token(found[page.size - 1].id) if len(found) > page.size else ""
        return pb.ListBudgetsResponse(
            budgets=[await self._wire(budget) for budget in found[: page.size]], next_page_token=token
        )

    async def DeleteBudget(self, request: pb.DeleteBudgetRequest, context: Any) -> pb.DeleteBudgetResponse:
        """Remove a budget."""
        await self._meter.delete(parse_slug("budgets", request.name))
        return pb.DeleteBudgetResponse()

    async def SetFreeze(self, request: pb.SetFreezeRequest, context: Any) -> pb.SetFreezeResponse:
        """Stop all spending, or let it go on."""
        if len(request.reason) > _MAX_REASON or not (request.reason.isprintable()):
            raise invalid(("reason", f"must be one line of at most {_MAX_REASON} characters"))
        freeze = Freeze(request.frozen, request.reason, current_caller().name)
        return pb.SetFreezeResponse(freeze=frozen(await self._meter.set_freeze(freeze, cut=request.cut)))

    async def GetFreeze(self, request: pb.GetFreezeRequest, context: Any) -> pb.GetFreezeResponse:
        """Tell whether spending is stopped."""
        return pb.GetFreezeResponse(freeze=frozen(self._meter.freeze))

    async def _wire(self, budget: Budget) -> pb.Budget:
        used, reserved, warned = await self._meter.state(budget)
        ends = reset(budget.period, self._meter.now)
        return pb.Budget(
            name=f"budgets/{budget.id}",
            subject=budget.subject,
            measure=f"BUDGET_MEASURE_{budget.measure}",
            period=f"BUDGET_PERIOD_{budget.period}",
            limit=budget.limit,
            warn_at=budget.warn_at,
            soft=budget.soft,
            unknown_price=f"UNKNOWN_PRICE_{budget.unknown_price}",
            used=used,
            reserved=reserved,
            reset_time=stamp(ends) if ends is not None else None,
            warned=warned,
            create_time=stamp(budget.create_micros),
        )


def frozen(freeze: Freeze) -> pb.Freeze:
    """Put the stop switch on the wire."""
    return pb.Freeze(
        frozen=freeze.frozen,
        reason=freeze.reason,
        caller=freeze.caller,
        time=stamp(freeze.time_micros) if freeze.time_micros else None,
    )


def read(given: pb.Budget) -> Budget:
    """Read a budget. Raises InvalidArgument with everything that is wrong."""
    problems: list[tuple[str, str]] = []
    prefix, _, ident = given.name.partition("/")
    if prefix != "budgets" or not SLUG.fullmatch(ident):
        text = "must be `budgets/{budget}`, {budget} 1-63 of a-z, 0-9 and -, beginning with a letter"
        problems.append(("budget.name", text))
    if not _is_subject(given.subject):
        kinds = ", ".join(f"`{collection}/…`" for collection in _COLLECTIONS)
        problems.append(("budget.subject", f"must be empty, one of {', '.join(EACH)}, or one of {kinds}"))
    problems += [
        (f"budget.{field}", f"must be 0 to {MOST}")
        for field in ("limit", "warn_at")
        if not 0 <= getattr(given, field) <= MOST
    ]
    words = {
        "measure": _word(pb.BudgetMeasure, "BUDGET_MEASURE_", given.measure, "COST"),
        "period": _word(pb.BudgetPeriod, "BUDGET_PERIOD_", given.period, "WHOLE"),
        "unknown_price": _word(pb.UnknownPrice, "UNKNOWN_PRICE_", given.unknown_price, REFUSE),
    }
    problems += [(f"budget.{field}", "is no value that is known here") for field, word in words.items() if not word]
    if problems:
        raise invalid(*problems)
    return Budget(
        ident,
        given.subject,
        words["measure"],
        words["period"],
        given.limit,
        given.warn_at,
        given.soft,
        ALLOW if words["unknown_price"] == ALLOW else REFUSE,
    )


def _is_subject(subject: str) -> bool:
    if subject == "" or subject in EACH:
        return True
    collection, _, ident = subject.partition("/")
    fine = ident.isprintable() and " " not in ident and "/" not in ident
    return collection in _COLLECTIONS and 0 < len(ident) <= _MAX_SUBJECT and fine and ident != "-"


def _word(kind: Any, prefix: str, value: int, unspecified: str) -> str:
    """Give an enum's value by its name without the prefix; empty for one that is not known."""
    try:
        name = str(kind.Name(value)).removeprefix(prefix)
    except ValueError:
        return ""
    return unspecified if name == "UNSPECIFIED" else name
