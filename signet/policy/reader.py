"""Reads values out of nodes and notes what is wrong with them; a bad value becomes its default, and reading goes on."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar

from signet.policy.node import Node
from signet.policy.problem import Problem

T = TypeVar("T")
_WHOLE = re.compile(r"[0-9]{1,18}")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_KEY_LETTERS = 64


class Reader:
    """Collects problems. `where` is the path of the key that is read, empty for the document itself."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, node: Node, where: str, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(node.line, node.column, where, message))

    def fields(self, node: Node | None, where: str, keys: Sequence[str]) -> dict[str, Node]:
        """Read a mapping whose keys are known. Unknown and repeated keys are problems."""
        found: dict[str, Node] = {}
        for name, key, value in self.entries(node, where, f"a mapping of {', '.join(keys)}"):
            if name in keys:
                found[name] = value
            else:
                self.problem(key, join(where, name), f"is no key here.{near(name, keys)}")
        return found

    def entries(self, node: Node | None, where: str, what: str) -> Iterator[tuple[str, Node, Node]]:
        """Read a mapping's keys and values; nothing written is an empty one."""
        if node is None or node.empty:
            return
        if node.pairs is None:
            self.problem(node, where, f"must be {what}, not {node.shown}")
            return
        seen: set[str] = set()
        for key, value in node.pairs:
            if key.text is None:
                self.problem(key, where, "a key must be a text")
            elif key.text in seen:
                self.problem(key, join(where, key.text[:_KEY_LETTERS]), "is said twice")
            else:
                seen.add(key.text)
                yield key.text[:_KEY_LETTERS], key, value

    def items(self, node: Node | None, where: str, most: int) -> Iterator[tuple[Node, str]]:
        """Read a list's items, each with its path; nothing written is an empty one."""
        if node is None or node.empty:
            return
        if node.items is None:
            self.problem(node, where, f"must be a list, not {node.shown}")
            return
        if len(node.items) > most:
            self.problem(node, where, f"has {len(node.items)} entries; at most {most} are allowed")
            return
        for place, item in enumerate(node.items):
            yield item, f"{where}[{place}]"

    def text(self, node: Node | None, where: str, default: str, most: int) -> str:
        """Read a text of one line."""
        if node is None:
            return default
        if node.text is None or len(node.text) > most or not (node.text.isprintable() or not node.text):
            self.problem(node, where, f"must be a text of one line, at most {most} characters")
            return default
        return node.text

    def choice(self, node: Node | None, where: str, default: str, choices: Sequence[str]) -> str:
        """Read one of some words."""
        if node is None:
            return default
        if node.text is None or node.text not in choices:
            self.problem(
                node, where, f"must be one of {', '.join(choices)}, not {node.shown}.{near(node.text, choices)}"
            )
            return default
        return node.text

    def whole(self, node: Node | None, where: str, default: int, least: int, most: int) -> int:
        """Read a whole number within bounds."""
        if node is None:
            return default
        value = int(node.text) if node.text is not None and not node.quoted and _WHOLE.fullmatch(node.text) else None
        if value is None or not least <= value <= most:
            self.problem(node, where, f"must be a whole number from {least} to {most}, not {node.shown}")
            return default
        return value

    def decimal(self, node: Node | None, where: str, default: float, least: float, most: float) -> float:
        """Read a number within bounds; 0 always is."""
        if node is None:
            return default
        fine = node.text is not None and not node.quoted and _DECIMAL.fullmatch(node.text)
        value = float(node.text or "0") if fine else -1.0
        if value and not least <= value <= most:
            self.problem(node, where, f"must be a number from {least:g} to {most:g}, or 0, not {node.shown}")
            return default
        return value

    def amount(
        self,
        node: Node | None,
        where: str,
        default: int,
        bounds: tuple[int, int],
        words: tuple[Callable[[str], int | None], Callable[[int], str]],
        *,
        zero: bool = False,
    ) -> int:
        """Read a size or a time within bounds; `words` read and write it, `zero` says that 0 is allowed too."""
        if node is None:
            return default
        read, show = words
        value = read(node.text) if node.text is not None else None
        if value is None or not (bounds[0] <= value <= bounds[1] or (zero and value == 0)):
            or_zero = ", or 0 for no bound" if zero else ""
            span = f"{show(bounds[0])} to {show(bounds[1])}{or_zero}"
            self.problem(node, where, f"must be an amount from {span}, not {node.shown}")
            return default
        return value

    def checked(self, node: Node | None, where: str, default: str, trouble: Callable[[str], str]) -> str:
        """Read a text that `trouble` finds nothing wrong with."""
        if node is None:
            return default
        if node.text is None:
            self.problem(node, where, f"must be a text, not {node.shown}")
            return default
        if said := trouble(node.text):
            self.problem(node, where, f"{node.shown} {said}")
            return default
        return node.text

    def texts(self, node: Node | None, where: str, most: int, trouble: Callable[[str], str]) -> tuple[str, ...]:
        """Read a list of texts that `trouble` finds nothing wrong with; one that is said twice is a problem."""
        found: dict[str, None] = {}
        for item, at in self.items(node, where, most):
            text = self.checked(item, at, "", trouble)
            if text and text in found:
                self.problem(item, at, f"{item.shown} is said twice")
            elif text:
                found[text] = None
        return tuple(found)

    def required(self, found: Mapping[str, Node], node: Node, where: str, keys: Sequence[str]) -> bool:
        """Tell whether these keys are there; note those that are not."""
        missing = [key for key in keys if key not in found]
        if missing and node.pairs is not None:
            self.problem(node, where, f"lacks {' and '.join(missing)}")
        return not missing


def join(where: str, key: str) -> str:
    """Give the path of a key below another."""
    return f"{where}.{key}" if where else key


def near(name: str | None, names: Sequence[str]) -> str:
    """Suggest what was perhaps meant, or say what there is."""
    close = get_close_matches((name or "").lower().replace("_", "-"), names, n=1, cutoff=0.6) or get_close_matches(
        (name or "").lower().replace("-", "_"), names, n=1, cutoff=0.6
    )
    return f" Did you mean {close[0]}?" if close else f" There are {', '.join(names)}."
