"""Amounts of dollars on the command line."""

from decimal import Decimal, InvalidOperation

import click


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
        return dollars
