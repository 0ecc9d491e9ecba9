"""Options of a process: a frozen dataclass, filled from flags, the environment, the config file and its defaults."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from signet.kit.errors import near
from signet.kit.home import Home
from signet.kit.lifecycle import StartError

T = TypeVar("T")

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


class OptionsError(StartError):
    """Raised for bad options; names every bad one, and where it was said."""


def load(cls: type[T], section: str, home: Home, flags: Mapping[str, str]) -> T:
    """Fill the options of a section: flags win over SIGNET_<SECTION>_<FIELD>, over config.yaml, over the defaults.

    Fields are str, int, float, bool or Path. Raises OptionsError with all that is wrong at once.
    """
    hints = get_type_hints(cls)
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, (where, value) in _said(list(hints), section, home, flags, problems).items():
        try:
            values[name] = _cast(hints[name], value)
        except ValueError:
            problems.append(f"{where}: {section}.{name} must be {_kind(hints[name])}, not {value!r}")
    if problems:
        raise OptionsError("; ".join(problems))
    try:
        return cls(**values)
    except ValueError as error:
        raise OptionsError(f"{section}: {error}") from error


def _said(
    names: list[str], section: str, home: Home, flags: Mapping[str, str], problems: list[str]
) -> dict[str, tuple[str, Any]]:
    """Collect what was said of each option, and where; what wins comes last."""
    found: dict[str, tuple[str, Any]] = {}
    for key, line, value in _configured(home.config, section, problems):
        if key in names:
            found[key] = (f"{home.config}:{line}", value)
        else:
            problems.append(f"{home.config}:{line}: {section}.{key} is no option.{near(key, names)}")
    for name in names:
        variable = f"SIGNET_{section}_{name}".upper()
        if variable in os.environ:
            found[name] = (variable, os.environ[variable])
    for name, value in flags.items():
        if name in names:
            found[name] = (f"--set {name}", value)
        else:
            problems.append(f"--set {name}: no option of {section}.{near(name, names)}")
    return found


def _configured(path: Path, section: str, problems: list[str]) -> list[tuple[str, int, Any]]:
    if not path.exists():
        return []
    import yaml

    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        problems.append(f"{path} cannot be read: {error}")
        return []
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        problems.append(f"{path}:1: must be a mapping of sections")
        return []
    for key, node in root.value:
        if key.value == section:
            if isinstance(node, yaml.MappingNode):
                return [(name.value, name.start_mark.line + 1, _scalar(value)) for name, value in node.value]
            problems.append(f"{path}:{key.start_mark.line + 1}: {section} must be a mapping of options")
    return []


def _scalar(node: Any) -> Any:
    return node.value  # as written: the option's type decides what it means


def _cast(kind: Any, value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004 - `load` reports it with the others
    if kind is bool:
        if value.lower() not in _TRUE | _FALSE:
            raise ValueError(value)
        return value.lower() in _TRUE
    if kind is Path:
        return Path(value).expanduser()
    return kind(value)


def _kind(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "on or off", Path: "a path"}
    return names.get(kind, "text")
