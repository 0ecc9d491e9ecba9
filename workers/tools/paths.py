"""Paths as a model writes them."""

import os
from difflib import get_close_matches
from pathlib import Path

from workers.tools.call import ToolError

WORKSPACE = "/workspace"
NAMES = 2000
"""Most names of a folder that are looked at for a near one."""


def resolve(text: str) -> Path:
    """Return the path meant: relative ones start in the working folder, the workspace; so does `~`."""
    if not text.strip():
        raise ToolError("`path` is empty. Give a file's or folder's path, for example notes.txt.")
    if "\0" in text:
        raise ToolError("`path` holds a zero byte.")
    if text == "~" or text.startswith("~/"):
        text = "." + text[1:]
    base = Path.cwd()
    path = base / text
    if str(base) != WORKSPACE and (text == WORKSPACE or text.startswith(WORKSPACE + "/")):
        path = base / text[len(WORKSPACE) :].lstrip("/")
    return Path(os.path.normpath(path))


def shown(path: Path) -> str:
    """Return a path as a person would write it: relative inside the working folder."""
    base = Path.cwd()
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def missing(path: Path) -> ToolError:
    """Say that there is no such file, with a near name where the folder has one."""
    parent = path.parent
    if not parent.is_dir():
        return ToolError(f"There is no folder {shown(parent)}, so no {shown(path)}. list_files shows what there is.")
    try:
        with os.scandir(parent) as entries:
            names = [entry.name for entry, _ in zip(entries, range(NAMES), strict=False)]
    except OSError:
        names = []
    close = get_close_matches(path.name, names, 1)
    hint = f" Did you mean {shown(parent / close[0])}?" if close else " list_files shows what there is."
    return ToolError(f"There is no file {shown(path)}.{hint}")


def failed(doing: str, path: Path, error: OSError) -> ToolError:
    """Say why the system refused."""
    return ToolError(f"Could not {doing} {shown(path)}: {error.strerror or error}.")
