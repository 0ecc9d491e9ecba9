"""A soul: its two files read, checked and put in one canonical form. Read anew for every message, so kept quick."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import yaml

from signet.catalog.toolsets import TOOLSETS, Policy

TEXT = "soul.md"
MANIFEST = "manifest.yaml"
MAX_BYTES = 64 * 1024
"""Of each file."""

_KEYS = ("title", "description", "category", "version", "toolsets")
_LISTS = ("enforced", "default_enabled", "optional", "forbidden")
_TITLE_LETTERS = 200
_NAME_LETTERS = 64
_MAX_DEPTH = 16
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Soul:
    """A persona and its tool policy. `text` is Markdown; `canonical` is what its digest is taken of."""

    slug: str
    title: str
    description: str
    category: str
    version: str
    text: str
    policy: Policy

    @property
    def canonical(self) -> str:
        """Everything that makes it this soul, as one text: JSON with sorted keys and no spaces."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def digest(self) -> str:
        """The sha256 of its canonical form, hexadecimal."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()


class SoulInvalid(ValueError):
    """Raised when a soul's files are bad. `problems` has all that is wrong, each with file and line."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def read(folder: Path) -> Soul:
    """Read the soul in a folder; the folder's name is its slug. Raises SoulInvalid."""
    problems: list[str] = []
    text, manifest = _file(folder / TEXT, problems), _file(folder / MANIFEST, problems)
    if problems:
        raise SoulInvalid(problems)
    return parse(folder.name, text, manifest, str(folder))


def parse(slug: str, text: str, manifest: str, where: str = "") -> Soul:
    """Make a soul of its two texts. `where` stands before the files' names in problems. Raises SoulInvalid."""
    prefix = f"{where}/" if where else ""
    problems = [] if text.strip() else [f"{prefix}{TEXT}:1: says nothing; write who the agent is"]
    fields = _mapping(manifest, f"{prefix}{MANIFEST}", problems)
    if problems:
        raise SoulInvalid(problems)
    return Soul(
        slug=slug,
        title=fields.get("title", slug),
        description=fields.get("description", ""),
        category=fields.get("category", "general"),
        version=fields.get("version", "1"),
        text=text,
        policy=fields.get("toolsets", Policy()),
    )


def _file(path: Path, problems: list[str]) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            problems.append(f"{path}: is larger than {MAX_BYTES} bytes")
        return content.decode()
    except OSError as error:
        problems.append(f"{path}: {error.strerror}")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problems.append(f"{path}:{line}: is not UTF-8")
    return ""


def _mapping(manifest: str, file: str, problems: list[str]) -> dict[str, Any]:
    try:
        deep = _deep(manifest)
        if deep:
            problems.append(f"{file}:{deep}: is nested deeper than {_MAX_DEPTH} levels")
            return {}
        root = yaml.compose(manifest, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problems.append(f"{file}:{line}: is no YAML: {error.problem}")
        return {}
    except (yaml.YAMLError, RecursionError) as error:
        problems.append(f"{file}:1: is no YAML: {error}")
        return {}
    found: dict[str, Any] = {}
    for key, line, node in _pairs(root, file, problems):
        if key in found:
            problems.append(f"{file}:{line}: {key} is said twice")
        elif key == "toolsets":
            found[key] = _policy(node, file, problems)
        elif key in _KEYS:
            found[key] = _text(key, node, file, problems)
        else:
            problems.append(f"{file}:{line}: {key} is no key of a soul.{_near(key, _KEYS)}")
    return found


def _deep(manifest: str) -> int:
    """Give the line that is nested too deep, 0 where none is: composing recurses in C and would end the process."""
    depth = 0
    for event in yaml.parse(manifest, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            return int(event.start_mark.line) + 1 if event.start_mark else 1
    return 0


def _pairs(root: Any, file: str, problems: list[str]) -> list[tuple[str, int, Any]]:
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        problems.append(f"{file}:{_line(root)}: must be a mapping of {', '.join(_KEYS)}")
        return []
    return [(_name(key), _line(key), node) for key, node in root.value]


def _text(key: str, node: Any, file: str, problems: list[str]) -> str:
    if not isinstance(node, yaml.ScalarNode) or not node.value or len(node.value) > _TITLE_LETTERS:
        problems.append(f"{file}:{_line(node)}: {key} must be a text of 1 to {_TITLE_LETTERS} letters")
        return ""
    return cast("str", node.value)


def _policy(root: Any, file: str, problems: list[str]) -> Policy:
    """Read the four lists. Only default_enabled and optional may share a toolset."""
    said: dict[str, tuple[str, ...]] = {}
    first: dict[str, str] = {}
    if not isinstance(root, yaml.MappingNode):
        problems.append(f"{file}:{_line(root)}: toolsets must be a mapping of {', '.join(_LISTS)}")
        return Policy()
    for key, line, node in _pairs(root, file, problems):
        if key in said:
            problems.append(f"{file}:{line}: toolsets.{key} is said twice")
        elif key not in _LISTS:
            problems.append(f"{file}:{line}: toolsets.{key} is no list of a soul.{_near(key, _LISTS)}")
        elif not isinstance(node, yaml.SequenceNode):
            problems.append(f"{file}:{line}: toolsets.{key} must be a list of toolsets")
        else:
            names = [_toolset(item, key, first, file, problems) for item in node.value]
            problems.extend(
                f"{file}:{_line(item)}: {name} is said twice"
                for place, (item, name) in enumerate(zip(node.value, names, strict=True))
                if name in names[:place]
            )
            said[key] = tuple(names)
    return Policy(**said)


def _toolset(node: Any, key: str, first: dict[str, str], file: str, problems: list[str]) -> str:
    name, known = _name(node), [toolset.name for toolset in TOOLSETS]
    if name not in known:
        problems.append(f"{file}:{_line(node)}: there is no toolset {name!r}.{_near(name, known)}")
    before = first.setdefault(name, key)
    if before != key and {before, key} != {"default_enabled", "optional"}:
        problems.append(f"{file}:{_line(node)}: {name} is {key} here and {before} above; choose one")
    return name


def _name(node: Any) -> str:
    """Give a node's text, shortened; a list's is never spelled out, as aliases can make it endless."""
    return str(node.value)[:_NAME_LETTERS] if isinstance(node, yaml.ScalarNode) else "a list or mapping"


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _near(name: str, names: Sequence[str]) -> str:
    close = get_close_matches(name, names, n=1)
    return f" Did you mean {close[0]}?" if close else f" There are {', '.join(names)}."
