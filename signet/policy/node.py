"""A document as its writer sees it: texts, lists and mappings, each with its place. YAML and JSON both become this."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    """A place, and one of: a text (`quoted` if it cannot be a number), a list, a mapping as pairs."""

    line: int
    column: int
    text: str | None = None
    quoted: bool = False
    items: tuple["Node", ...] | None = None
    pairs: tuple[tuple["Node", "Node"], ...] | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing was written."""
        return self.text in {"", "~", "null"} and not self.quoted

    @property
    def shown(self) -> str:
        """What stands there, short, for a message."""
        if self.text is not None:
            return repr(self.text[:60])
        return "a list" if self.items is not None else "a mapping"


def from_json(value: Any) -> Node:
    """Make nodes of JSON values; their place is line 1."""
    if isinstance(value, dict):
        return Node(1, 1, pairs=tuple((from_json(key), from_json(item)) for key, item in value.items()))
    if isinstance(value, list):
        return Node(1, 1, items=tuple(map(from_json, value)))
    if isinstance(value, str):
        return Node(1, 1, text=value, quoted=True)
    return Node(1, 1, text=json.dumps(value))
