"""Data on standard output, in the form that was asked for."""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from signet.cli.call import Call
from signet.cli.clean import M, cleaned
from signet.cli.form import form


def dump(value: Any) -> str:
    """Give JSON: indented for a person at a terminal, a single line for a pipe."""
    return json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None)


def emit(call: Call, message: M, table: Callable[[M], str], *, name: str = "", shape: Any = None) -> None:
    """Print one thing. `shape` replaces the message's own JSON form; `name` what `-o name` prints.

    A table is given the message with every text made safe for a terminal.
    """
    if call.output == "table":
        click.echo(table(cleaned(message)), color=call.color)
    elif call.output == "name":
        click.echo(name or getattr(message, "name", ""))
    else:
        structured(call, form(message) if shape is None else shape)


def emit_all(call: Call, messages: Iterable[M], table: Callable[[list[M]], str]) -> None:
    """Print a list: one JSON array, a line each with jsonl, a name each with name."""
    if call.output == "jsonl":
        for message in messages:
            line(form(message))
        return
    rows = list(messages)
    if call.output == "table":
        click.echo(table([cleaned(row) for row in rows]), color=call.color)
    elif call.output == "name":
        for row in rows:
            click.echo(getattr(row, "name", "") or getattr(row, "key", ""))
    else:
        structured(call, [form(row) for row in rows])


def line(value: Any) -> None:
    """Print one JSON line of a stream, at once."""
    click.echo(json.dumps(value, ensure_ascii=False))
    sys.stdout.flush()


def more(call: Call, page_token: str) -> None:
    """Tell a person, where there are more rows, how to see them."""
    if page_token:
        call.say(f"there are more: the same command with --page-token {page_token}")


def structured(call: Call, value: Any) -> None:
    """Print a value as JSON, a JSON line or YAML."""
    if call.output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), nl=False)
    elif call.output == "jsonl":
        line(value)
    else:
        click.echo(dump(value))
