"""Warm cells: a run has one to itself, the next run of the same agent finds it open."""

import asyncio

from workers.cell import Builder, Cell
from workers.clock import now

LOOK_SECONDS = 5.0


class Pool:
    """Cells that are open. At most `most_warm` idle ones are kept, each for at most `idle_seconds`."""

    def __init__(self, builder: Builder, *, most_warm: int, idle_seconds: float) -> None:
        self._builder = builder
        self._most_warm = most_warm
        self._idle_seconds = idle_seconds
        self._idle: list[Cell] = []  # the one used longest ago first
        self._busy: set[Cell] = set()

    @property
    def size(self) -> int:
        """How many sandboxes are open."""
        return len(self._idle) + len(self._busy)

    async def take(self, agent: str) -> Cell:
        """Give the agent's warm cell, or open another over the same workspace. Raises SandboxUnavailable."""
        while cell := next((cell for cell in reversed(self._idle) if cell.agent == agent), None):
            self._idle.remove(cell)
            if cell.alive:
                break
            await cell.aclose()
        else:
            cell = await self._builder.open(agent)
        self._busy.add(cell)
        return cell

    async def give(self, cell: Cell, *, keep: bool) -> None:
        """Take a cell back: cleaned already and kept warm, or closed."""
        self._busy.discard(cell)
        if keep and cell.alive:
            self._idle.append(cell)
            cell = self._idle.pop(0) if len(self._idle) > self._most_warm else cell
            if cell in self._idle:
                return
        await cell.aclose()

    async def run(self) -> None:
        """Close what was idle for too long, until cancelled."""
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self._idle_seconds))
            limit = now() - self._idle_seconds
            for cell in [cell for cell in self._idle if cell.idle_since < limit or not cell.alive]:
                self._idle.remove(cell)
                await cell.aclose()

    async def aclose(self) -> None:
        """Close everything."""
        cells = [*self._idle, *self._busy]
        self._idle.clear()
        self._busy.clear()
        await asyncio.gather(*(cell.aclose() for cell in cells))
