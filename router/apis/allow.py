"""What of an API may be called: methods and globs over paths. Pure.

Paths are read as policies read them: one that servers could understand in different ways matches nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from signet.policy import paths

MAX_RULES = 64
MAX_LETTERS = 300
NEVER = ("CONNECT", "TRACE")
"""Never let through: one is no request, the other gives back what it was sent, the credential too."""

_METHOD = re.compile(r"\*|[A-Z]{1,16}")


@dataclass(frozen=True)
class Rule:
    """Requests by method (`*` for any; GET is HEAD, too) and by a glob over the path below the API's address.

    `*` is any letters of one segment, `**` any segments, also none.
    """

    method: str = "GET"
    path: str = paths.ANY

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def covers(self, method: str, segments: tuple[str, ...]) -> bool:
        """Tell whether it lets a request through; `segments` as `paths.clean` gives them."""
        known = self.method in ("*", method) or (self.method, method) == ("GET", "HEAD")
        return known and paths.matches(self.path, segments)


READING = (Rule(),)
"""What may be called where nothing is said: every GET."""


def rule(text: str) -> Rule:
    """Read `METHOD /glob`. Raises ValueError that says what is wrong, without naming the rule."""
    method, _, path = text.partition(" ")
    if len(text) > MAX_LETTERS:
        raise ValueError(f"has at most {MAX_LETTERS} characters")
    if not _METHOD.fullmatch(method) or method in NEVER or not path:
        raise ValueError("is a method in capitals or *, a space and a path, as `GET /v1/*`; never CONNECT or TRACE")
    if trouble := paths.pattern_trouble(path):
        raise ValueError(f"its path {trouble}")
    return Rule(method, path)


def allowed(rules: Sequence[Rule], method: str, segments: tuple[str, ...]) -> bool:
    """Tell whether any rule lets a request through; with none, every GET passes."""
    return method not in NEVER and any(each.covers(method, segments) for each in rules or READING)
