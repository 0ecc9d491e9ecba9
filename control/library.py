"""The souls: those shipped with Signet and the user's own, read from their folders each time they are asked for."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from signet.catalog.soul import Soul, SoulInvalid, read
from signet.kit.errors import FailedPrecondition, NotFound, near
from signet.kit.names import parse_slug

MAX_SOULS = 1000
"""Folders that are looked at in one place; more are left out."""


@dataclass(frozen=True)
class Shelf:
    """One soul as it lies there: where from, and what is wrong with it."""

    slug: str
    own: bool
    soul: Soul | None
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Library:
    """Two folders of souls. The user's wins over a shipped one of the same name."""

    catalog: Path
    user: Path

    @classmethod
    def shipped(cls, user: Path) -> Self:
        """Give the library of the shipped souls and a user's own."""
        return cls(Path(__file__).parent / "souls", user)

    async def every(self) -> list[Shelf]:
        """Read all souls, by name."""
        return await asyncio.to_thread(self._every)

    async def get(self, slug: str) -> Shelf:
        """Read a soul, also one whose files are bad. Raises NotFound with near names."""
        return await asyncio.to_thread(self._get, slug)

    async def read(self, name: str) -> Soul:
        """Read a soul, `souls/{soul}`, that can be used. Raises NotFound, FailedPrecondition (SOUL_INVALID)."""
        found = await self.get(parse_slug("souls", name, "soul"))
        if found.soul is None:
            raise FailedPrecondition(
                "SOUL_INVALID",
                f"{name} cannot be used: {'; '.join(found.problems)}",
                hint=f"mend its files, then see `signet soul show {found.slug}`",
            )
        return found.soul

    def _folders(self) -> dict[str, tuple[Path, bool]]:
        found: dict[str, tuple[Path, bool]] = {}
        for root, own in ((self.catalog, False), (self.user, True)):
            if root.is_dir():
                folders = sorted(folder for folder in root.iterdir() if folder.is_dir())
                found |= {folder.name: (folder, own) for folder in folders[:MAX_SOULS]}
        return found

    def _every(self) -> list[Shelf]:
        return [_look(folder, own=own) for _, (folder, own) in sorted(self._folders().items())]

    def _get(self, slug: str) -> Shelf:
        for root, own in ((self.user, True), (self.catalog, False)):
            if (root / slug).is_dir():
                return _look(root / slug, own=own)
        message = f"there is no souls/{slug}.{near(slug, self._folders())}"
        raise NotFound("SOUL_NOT_FOUND", message, hint="signet soul list")


def _look(folder: Path, *, own: bool) -> Shelf:
    try:
        return Shelf(folder.name, own, read(folder), ())
    except SoulInvalid as invalid:
        return Shelf(folder.name, own, None, tuple(invalid.problems))
