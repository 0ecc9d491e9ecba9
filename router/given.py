"""Secrets that nobody has to put: the router finds them in its environment and in a folder. They are stored nowhere."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from router.owners import trouble
from signet.kit.lifecycle import StartError
from signet.kit.names import SLUG

PREFIX = "SIGNET_SECRET_"
"""`SIGNET_SECRET_GITHUB_TOKEN` is everybody's secret `github-token`."""

MAX_VALUE_BYTES = 64 << 10
MAX_FILES = 10_000

FORBIDDEN = frozenset("\0\r\n")


@dataclass(frozen=True)
class Given:
    """A secret, and `ENVIRONMENT` or `FILE`."""

    id: str
    owner: str
    origin: str
    value: str = field(repr=False)


def given(environment: Mapping[str, str], folder: str) -> list[Given]:
    """Find all of them; of a name in both the environment's counts. Raises StartError with all that is wrong.

    `folder`, empty for none, has a file for each of everybody's secrets, and in `agents/AGENT` and `tokens/TOKEN` those
    of theirs. Files are their owner's alone; names that begin with a dot are passed over, a line end behind a value is
    dropped.
    """
    problems: list[str] = []
    found = {(one.id, one.owner): one for one in (*_files(folder, problems), *_variables(environment, problems))}
    if problems:
        raise StartError("; ".join(problems))
    return [found[key] for key in sorted(found)]


def _variables(environment: Mapping[str, str], problems: list[str]) -> Iterator[Given]:
    for variable, value in environment.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower().replace("_", "-")
        if _good(variable, name, value, problems):
            yield Given(name, "", "ENVIRONMENT", value)


def _files(folder: str, problems: list[str]) -> Iterator[Given]:
    if not folder:
        return
    root = Path(folder)
    try:
        if not root.is_dir():
            raise NotADirectoryError(20, "it is no folder")
        places = [(root, ""), *((path, f"agents/{path.name}") for path in _inside(root / "agents"))]
        places += [(path, f"tokens/{path.name}") for path in _inside(root / "tokens")]
        paths = [(path, owner) for place, owner in places for path in _inside(place)]
    except OSError as error:
        problems.append(f"router.secrets_folder {root} cannot be read: {error.strerror}")
        return
    if len(paths) > MAX_FILES:
        problems.append(f"router.secrets_folder {root} has more than {MAX_FILES} files")
        return
    for path, owner in paths:
        if path.is_dir():
            if owner or path.name not in {"agents", "tokens"}:
                problems.append(f"{path} is a folder: secrets are files; those of others lie in agents/ and tokens/")
            continue
        if why := trouble(owner):
            problems.append(f"{path}: its owner {why}")
            continue
        value = _read(path, problems)
        if value is not None and _good(str(path), path.name, value, problems):
            yield Given(path.name, owner, "FILE", value)


def _inside(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _read(path: Path, problems: list[str]) -> str | None:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                problems.append(f"{path} can be read by others than its owner: chmod 600 {path}")
                return None
            return file.read(MAX_VALUE_BYTES + 2).decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        problems.append(f"{path} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        problems.append(f"{path} is not UTF-8")
    return None


def _good(where: str, name: str, value: str, problems: list[str]) -> bool:
    """Look at a name and a value, which is never quoted."""
    before = len(problems)
    if not SLUG.fullmatch(name):
        problems.append(f"{where}: {name!r} is no name: 1-63 of a-z, 0-9 and -, beginning with a letter")
    if trouble := value_trouble(value):
        problems.append(f"{where} {trouble}")
    return len(problems) == before


def value_trouble(value: str) -> str:
    """Say what is wrong with a value, without it; empty for nothing."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "must be UTF-8"
    if not 0 < size <= MAX_VALUE_BYTES or FORBIDDEN & set(value):
        return f"must be one line of 1 to {MAX_VALUE_BYTES} bytes, without NUL"
    return ""
