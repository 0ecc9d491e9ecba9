"""A policy's document as a person has it: a file, what is wrong with it, and where."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signet.cli.clean import clean

if TYPE_CHECKING:
    from signet.policy.document import Problem
    from signet.policy.model import Policy

_BYTES = 256 * 1024


@dataclass(frozen=True)
class Document:
    """A text and what to call it."""

    name: str
    text: str

    @classmethod
    def read(cls, path: str) -> "Document":
        """Read a file, or standard input for `-`. Raises UsageError for no text and for one over 256 KiB."""
        if path == "-":
            name, body = "standard input", sys.stdin.buffer.read(_BYTES + 1)
        else:
            name, body = path, _bytes(path)
        if len(body) > _BYTES:
            raise click.UsageError(f"{name} is over 256 KiB, the most that a policy may have")
        try:
            return cls(name, body.decode())
        except UnicodeDecodeError as error:
            raise click.UsageError(f"{name} is not UTF-8: byte {error.start + 1}") from None

    def problems(self) -> "tuple[Problem, ...]":
        """Say what is wrong with it; nothing where it is good."""
        from signet.policy.document import PolicyInvalid

        try:
            self.parsed()
        except PolicyInvalid as invalid:
            return invalid.problems
        return ()

    def parsed(self) -> "Policy":
        """Give the policy. Raises PolicyInvalid."""
        from signet.policy.document import parse

        return parse(self.text)

    def shown(self, problem: "Problem") -> str:
        """Give a problem with its place, its line, and a caret below what is meant."""
        where = click.style(f"{self.name}:{problem.line}:{problem.column}:", bold=True)
        what = f"{problem.where}: {problem.message}" if problem.where else problem.message
        head = f"{where} {clean(what)}"
        lines = self.text.splitlines()
        if not 1 <= problem.line <= len(lines):
            return head
        number = str(problem.line)
        line = lines[problem.line - 1]
        column = min(max(problem.column, 1), len(line) + 1)
        before = "".join("\t" if sign == "\t" else " " for sign in line[: column - 1])
        bar = click.style("|", dim=True)
        caret = click.style("^", fg="red", bold=True)
        return f"{head}\n  {number} {bar} {clean(line)}\n  {' ' * len(number)} {bar} {before}{caret}"


def shape(document: Document, problems: "tuple[Problem, ...]") -> dict[str, Any]:
    """Give the JSON form of a check."""
    return {
        "file": document.name,
        "valid": not problems,
        "problems": [
            {"line": one.line, "column": one.column, "where": one.where, "message": one.message} for one in problems
        ],
    }


def _bytes(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(_BYTES + 1)
