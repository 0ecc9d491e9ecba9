"""The document that people write: YAML, closed, and read without any of YAML's surprises."""

from typing import Any

import yaml

from signet.policy import places, presets
from signet.policy.model import MAX_DOCUMENT_BYTES, Block, Policy
from signet.policy.node import Node
from signet.policy.problem import PolicyInvalid, Problem
from signet.policy.read import read
from signet.policy.reader import Reader, near

__all__ = ["PolicyInvalid", "Problem", "parse", "preset"]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAX_DEPTH = 16
_MAX_PRESETS = 50


def parse(text: str) -> Policy:
    """Read a document. Raises PolicyInvalid with every problem and its line.

    Words stay what they look like (`off` is off), a repeated or unknown key is an error, and there are no anchors,
    aliases or tags. At most 256 KiB, 16 levels deep, one document.
    """
    return read(nodes(text), _presets)


def preset(name: str) -> Block:
    """Give a preset's block, named `preset.{name}`. Raises KeyError for a name that is none of `presets.names()`."""
    reader, root = Reader(), nodes(presets.text(name))
    endpoints = Node(1, 1, pairs=tuple(pair for pair in root.pairs or () if pair[0].text != "description"))
    block = places.block(reader, endpoints, f"{places.PRESET}{name}", f"presets.{name}")
    if reader.problems:
        raise PolicyInvalid(reader.problems)
    return block


def nodes(text: str) -> Node:
    """Read YAML as nodes. Raises PolicyInvalid."""
    if len(text.encode(errors="replace")) > MAX_DOCUMENT_BYTES:
        raise PolicyInvalid([Problem(1, 1, "", f"the document is larger than {MAX_DOCUMENT_BYTES} bytes")])
    try:
        return _Builder().build(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise PolicyInvalid([Problem(*place, "", f"is no YAML: {error.problem or error.context}")]) from error
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, PolicyInvalid):
            raise
        raise PolicyInvalid([Problem(1, 1, "", f"is no YAML: {str(error).splitlines()[0]}")]) from error


def _presets(reader: Reader, node: Node | None) -> tuple[Block, ...]:
    known, blocks = presets.names(), {}
    for item, where in reader.items(node, "presets", _MAX_PRESETS):
        if item.text not in known:
            reader.problem(item, where, f"there is no preset {item.shown}.{near(item.text, known)}")
        elif item.text in blocks:
            reader.problem(item, where, f"{item.shown} is said twice")
        else:
            blocks[item.text] = preset(item.text)
    return tuple(blocks.values())


class _Builder:
    """Makes nodes of YAML's events, without recursion, as the depth is the writer's."""

    def __init__(self) -> None:
        self._open: list[tuple[Any, list[Node]]] = []
        self._root: Node | None = None

    def build(self, text: str) -> Node:
        documents = 0
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _bad(event, "there is a second document; write one")
            elif isinstance(event, yaml.AliasEvent):
                raise _bad(event, "aliases are not read; a text that begins with * is written in quotes")
            elif isinstance(event, yaml.ScalarEvent):
                self._plain(event)
                self._add(Node(*_place(event), text=event.value, quoted=not event.implicit[0]))
            elif isinstance(event, yaml.CollectionStartEvent):
                self._plain(event)
                self._open.append((event, []))
                if len(self._open) > _MAX_DEPTH:
                    raise _bad(event, f"is nested deeper than {_MAX_DEPTH} levels")
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close()
        return self._root or Node(1, 1, text="")

    def _plain(self, event: Any) -> None:
        if event.anchor is not None:
            raise _bad(event, "anchors are not read; a text that begins with & is written in quotes")
        if event.tag is not None:
            raise _bad(event, "tags are not read: leave it out")

    def _add(self, node: Node) -> None:
        if self._open:
            self._open[-1][1].append(node)
        else:
            self._root = node

    def _close(self) -> None:
        event, found = self._open.pop()
        if isinstance(event, yaml.MappingStartEvent):
            self._add(Node(*_place(event), pairs=tuple(zip(found[::2], found[1::2], strict=True))))
        else:
            self._add(Node(*_place(event), items=tuple(found)))


def _place(event: Any) -> tuple[int, int]:
    return (event.start_mark.line + 1, event.start_mark.column + 1) if event.start_mark else (1, 1)


def _bad(event: Any, message: str) -> PolicyInvalid:
    return PolicyInvalid([Problem(*_place(event), "", message)])
