"""How a failure is shown: what was wrong, where, what would be right; and the exit code it gives."""

import json
import os
import sys
from dataclasses import dataclass, field

import click

from signet.cli import codes
from signet.cli.clean import clean


@dataclass(frozen=True)
class Failure:
    """What a person, or with `-o json` a program, is told."""

    code: int
    message: str
    status: str = ""
    reason: str = ""
    hint: str = ""
    fields: tuple[tuple[str, str], ...] = field(default=())

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Make one of whatever ended a command."""
        if isinstance(error, click.UsageError):
            path = error.ctx.command_path if error.ctx else "signet"
            return cls(codes.USAGE, _lower(error.format_message()), "INVALID_ARGUMENT", "USAGE", f"{path} --help")
        if isinstance(error, click.ClickException):
            return cls(error.exit_code, _lower(error.format_message()))
        if "signet.kit.errors" in sys.modules:
            from signet.kit.errors import SignetError

            if isinstance(error, SignetError):
                return cls(
                    codes.BY_STATUS.get(error.code.name, codes.FAILED),
                    error.message,
                    error.code.name,
                    error.reason,
                    error.hint,
                    tuple((violation.field, violation.description) for violation in error.violations),
                )
        if "signet.kit.lifecycle" in sys.modules:
            from signet.kit.lifecycle import StartError

            if isinstance(error, StartError):
                return cls(codes.FAILED, str(error), "FAILED_PRECONDITION")
        if isinstance(error, UnicodeEncodeError):
            return cls(codes.USAGE, "what was given is not valid UTF-8", "INVALID_ARGUMENT", "INVALID_FIELD")
        if isinstance(error, OSError):
            what = error.strerror or str(error)
            return cls(codes.FAILED, f"{error.filename}: {what}" if error.filename else what)
        kind = type(error).__name__
        return cls(
            codes.FAILED, f"a fault of ours: {kind}: {error}", "INTERNAL", "INTERNAL", "SIGNET_DEBUG=1 shows where"
        )

    def show(self, *, as_json: bool, color: bool | None) -> None:
        """Write it to standard error."""
        if as_json:
            fields = [{"field": name, "description": text} for name, text in self.fields]
            body = {
                "exit_code": self.code, "code": self.status, "reason": self.reason,
                "message": self.message, "hint": self.hint, "violations": fields,
            }  # fmt: skip
            click.echo(json.dumps({"error": body}, ensure_ascii=False), err=True)
            return
        click.echo(f"{click.style('error:', fg='red', bold=True)} {self._sentence()}", err=True, color=color)
        if len(self.fields) > 1:
            for name, text in self.fields:
                click.echo(f"  {click.style(name, bold=True)}: {clean(text)}", err=True, color=color)
        if self.hint:
            click.echo(f"  {click.style('try:', fg='cyan')} {self.hint}", err=True, color=color)

    def _sentence(self) -> str:
        if len(self.fields) > 1:
            return f"{len(self.fields)} fields are bad"
        return clean(self.message)


def debugging() -> bool:
    """Tell whether SIGNET_DEBUG asks for tracebacks."""
    return os.environ.get("SIGNET_DEBUG", "") not in {"", "0"}


def _lower(text: str) -> str:
    """Begin a click message as our own begin."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
