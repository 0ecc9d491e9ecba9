"""The ways out of a cell: its sandbox's, and those of its tool calls' own sandboxes; all under one policy."""

import asyncio
from dataclasses import dataclass, field

from signet.policy.decision import GrantView
from workers.egress import Egress
from workers.policies import Permissions


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is in force: permissions, and those of their grants that reach whoever is in the cell, the run `run`."""

    permissions: Permissions
    grants: tuple[GrantView, ...]
    run: str = field(default="", compare=False)


class Ways:
    """Every way out of one cell. `door` is the router's, unix:/path or host:port."""

    def __init__(self, door: str) -> None:
        self._door = door
        self._ways: list[Egress] = []
        self._loaded: Loaded | None = None
        self._loading = asyncio.Lock()
        self._restarts = 0

    @property
    def restarts(self) -> int:
        """How many of their sidecars died."""
        return self._restarts + sum(way.restarts for way in self._ways)

    async def load(self, loaded: Loaded) -> int:
        """Put it in force on each; how many connections were closed for it.

        Raises EgressRefused; what was in force stays then.
        """
        async with self._loading:
            if loaded == self._loaded:
                return 0
            closed = sum(await asyncio.gather(*(self._put(way, loaded) for way in self._ways)))
            self._loaded = loaded
            return closed

    async def heard(self) -> None:
        """Have heard, when this returns, of all that was decided before. Raises EgressRefused."""
        async with self._loading:
            if self._loaded:
                await asyncio.gather(*(self._put(way, self._loaded) for way in self._ways if way.living))

    async def add(self, way: Egress) -> None:
        """Have one more, under what is in force. Raises EgressRefused."""
        async with self._loading:
            if self._loaded:
                await self._put(way, self._loaded)
            self._ways.append(way)

    async def remove(self, way: Egress) -> None:
        """Close one."""
        if way in self._ways:
            self._ways.remove(way)
            self._restarts += way.restarts
        await way.aclose()

    async def aclose(self) -> None:
        """Close all."""
        await asyncio.gather(*(self.remove(way) for way in self._ways))

    async def _put(self, way: Egress, loaded: Loaded) -> int:
        held = loaded.permissions
        return await way.load(
            held.document, loaded.grants, door=self._door, secrets_token=held.secrets_token, run=loaded.run
        )
