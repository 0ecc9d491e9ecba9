"""Logs: JSON lines on standard error, fixed keys, constant event names, never a payload or a secret."""

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from signet.kit import scrub

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
