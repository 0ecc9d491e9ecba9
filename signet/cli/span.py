"""Time spans on the command line."""

import re
from datetime import timedelta

import click

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Span(click.ParamType[timedelta]):
    """A time span: 30m, 12h, 90d, 4w."""

    name = "span"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Parse it."""
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"(\d{1,4})([mhdw])", value)
        if not match:
            self.fail(f"must be like 30m, 12h, 90d or 4w, not {value!r}", param, ctx)
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
