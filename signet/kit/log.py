"""Logs: JSON lines on standard error, fixed keys, constant event names, never a payload or a secret."""

import json
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from signet.kit import scrub

_SAID = 300  # characters of what a library says
_FRAMES = 8

_lock = threading.Lock()  # protects the line on standard error from being torn between threads


@dataclass(frozen=True)
class Log:
    """A process's log. Fields are names, ids, numbers; what people or models wrote stays out.

    `scrub` takes out of a line what must not be in it all the same: Signet's tokens, and whatever else a process knows.
    """

    process: str
    scrub: Callable[[str], str] = scrub.tokens

    def info(self, event: str, **fields: Any) -> None:
        """Write what happened as it should."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Write what is unusual and was dealt with."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Write what failed."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps(
            {"time": time, "level": level, "process": self.process, "event": event, **fields}, default=str
        )
        with _lock:
            sys.stderr.write(self.scrub(line) + "\n")
            sys.stderr.flush()


def get(process: str) -> Log:
    """Give the log of a process, for example `control`."""
    return Log(process)


def capture() -> None:
    """Have what libraries warn of, and what ends this process unexpectedly, written as lines like all others.

    Of an error its kind and place are said and not its text, which may hold whatever was worked with.
    """
    logging.basicConfig(handlers=[_Libraries(logging.WARNING)], level=logging.WARNING, force=True)
    sys.excepthook = _crashed


class _Libraries(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        told = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        fields = {"logger": record.name, "said": told.partition("\n")[0][:_SAID], **(_of(error) if error else {})}
        write = get("library").error if record.levelno >= logging.ERROR else get("library").warning
        write("library_said", **fields)


def _crashed(_: type[BaseException], error: BaseException, __: object) -> None:
    get("crash").error("crashed", **_of(error))


def _of(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    at = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames]
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return {
        "kind": type(error).__name__,
        "at": at[-_FRAMES:],
        **({"within": [_of(one) for one in inner]} if inner else {}),
    }
