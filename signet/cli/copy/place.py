"""The two sides of a copy: a path here, or `AGENT:path` inside a sandbox."""

import posixpath
import re
from dataclasses import dataclass

import click

_INSIDE = re.compile(r"((?:agents/|sandboxes/)?[a-z][a-z0-9.-]*):(.*)", re.DOTALL)
WORKSPACE = "/workspace"


@dataclass(frozen=True)
class Place:
    """A path; of a sandbox where `target` is not empty. `folder`: whether it was written with a slash behind it."""

    target: str
    path: str
    folder: bool

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Read it. What is inside begins at the workspace; a path here with a colon is written `./a:b`."""
        match = _INSIDE.fullmatch(text)
        if match is None:
            return cls("", text.rstrip("/") or "/", text.endswith("/"))
        path = match[2].removeprefix("~/")
        whole = posixpath.normpath(posixpath.join(WORKSPACE, path))
        return cls(match[1], whole, path.endswith("/") or path in {"", ".", "~"})

    @property
    def shown(self) -> str:
        """It as it is written."""
        return f"{self.target}:{self.path}" if self.target else self.path


def sides(source: str, destination: str) -> tuple[Place, Place]:
    """Read both. Raises UsageError unless one of the two is inside."""
    found = Place.parse(source), Place.parse(destination)
    if bool(found[0].target) == bool(found[1].target):
        which = "both are" if found[0].target else "neither is"
        raise click.UsageError(f"one side is AGENT:PATH and the other a path here; {which} inside a sandbox")
    return found


def landing(given: Place, *, name: str, is_folder: bool, exists: bool, parent: bool) -> tuple[str, str]:
    """Give the folder and the name that a copy of `name` lands under: in a folder that is there, else as what was said.

    Raises NotFound where the folder is not there.
    """
    from signet.kit.errors import NotFound

    if is_folder:
        return given.path, name
    if given.folder and not exists:
        raise NotFound("FILE_NOT_FOUND", f"{given.shown}: there is no such folder")
    if given.folder:
        raise click.UsageError(f"{given.shown} is no folder")
    if not parent:
        raise NotFound("FILE_NOT_FOUND", f"{given.shown}: the folder that it would be in is not there")
    folder, _, last = given.path.rpartition("/")
    return folder or ("/" if given.path.startswith("/") else "."), last
