"""Amounts of dollars on the command line."""

from decimal import ROUND_CEILING, Decimal, InvalidOperation

import click

MICRO = 1_000_000
_MOST = (1 << 63) // MICRO  # the wire's whole numbers end there


class Dollars(click.ParamType[Decimal]):
    """Reads `5`, `0.25` and `$0.25`, exactly."""

    name = "usd"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Give the amount; fails for what is none."""
        try:
            dollars = Decimal(str(value).removeprefix("$"))
        except InvalidOperation:
            dollars = Decimal(-1)
        if not dollars.is_finite() or dollars < 0:
            self.fail(f"{value!r} is no amount of dollars, as 5 or 0.25", param, ctx)
        if dollars > _MOST:
            self.fail(f"{value!r} is too much: at most {_MOST}", param, ctx)
        return dollars


def micro(dollars: Decimal, rounding: str = ROUND_CEILING) -> int:
    """Give it in whole micro-USD."""
    return int((dollars * MICRO).to_integral_value(rounding))
