"""What differs between two policies, for people and for who has to act on it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from signet.policy import words
from signet.policy.canonical import values, write
from signet.policy.model import Policy
from signet.policy.static import STATIC

_SIZES = frozenset({"resources.memory", "resources.disk", "resources.tmp", "process.file_bytes"})
_TIMES = frozenset({"resources.wall", "approvals.wait", "approvals.hold"})


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` and `after` are as a document says it, empty for none; `static` needs a new sandbox."""

    where: str
    before: str
    after: str
    static: bool

    def __str__(self) -> str:
        note = " (needs a new sandbox)" if self.static else ""
        if not self.before:
            return f"+ {self.where}: {self.after}{note}"
        if not self.after:
            return f"- {self.where}: {self.before}{note}"
        return f"~ {self.where}: {self.before} -> {self.after}{note}"


def changes(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Give the differences in the order of their paths; none for two policies that are the same."""
    return tuple(_differences(values(old), values(new), ""))


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[Change]:
    for key in sorted({*old, *new}):
        at = f"{where}.{key}" if where else key
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differences(before, after, at)
        elif isinstance(before, list) and isinstance(after, list) and _numbered([*before, *after]):
            yield from _differences(_by_place(before), _by_place(after), at)
        else:
            static = at.split(".", 1)[0] in STATIC
            yield Change(at.replace(".[", "["), _shown(at, before), _shown(at, after), static)


def _numbered(items: list[Any]) -> bool:
    """Tell whether these are mappings, which are compared each with the one at its place."""
    return any(isinstance(item, dict) for item in items)


def _by_place(items: list[Any]) -> dict[str, Any]:
    return {f"[{place}]": item for place, item in enumerate(items)}


def _shown(where: str, value: Any) -> str:
    if value is None:
        return ""
    if where in _SIZES:
        return words.show_size(value)
    if where in _TIMES:
        return words.show_seconds(value)
    if isinstance(value, str):
        return value or '""'
    return _flow(value)


def _flow(value: Any) -> str:
    """Write a value as YAML's short form, which people paste back."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    text = value if isinstance(value, str) else write(value)
    plain = isinstance(value, str) and text and text[0].isalnum() and not set(text) & set("{}[],#:&*!|>'\"%@`")
    return text if plain or not isinstance(value, str) else json.dumps(text, ensure_ascii=False)
