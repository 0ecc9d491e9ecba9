"""Warm cells: a run has one to itself, the next run of the same agent finds it open; people visit them."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection
from weakref import WeakValueDictionary

from workers.builder import Builder
from workers.cell import Cell
from workers.clock import now
from workers.guest import Guest
from workers.kept import Kept
from workers.policies import Permissions
from workers.sandbox.errors import SandboxUnavailable

LOOK_SECONDS = 5.0
DEATHS = 256
"""Agents of whose dead sandboxes is known, until they have another."""


class Pool:
    """Cells that are open. At most `most_warm` idle ones are kept, each for at most `idle_seconds`.

    `changed` is set whenever a cell was opened, closed, entered, left or given other permissions; whoever waits for it
    clears it.
    """

    def __init__(self, builder: Builder, *, most_warm: int, idle_seconds: float) -> None:
        self._builder = builder
        self._most_warm = most_warm
        self._idle_seconds = idle_seconds
        self._cells: list[Cell] = []  # the one used longest ago first
        self._arriving: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # of each agent's visitors
        self._died: OrderedDict[str, str] = OrderedDict()  # what became of an agent's sandbox that nobody closed
        self.changed = asyncio.Event()

    @property
    def size(self) -> int:
        """How many sandboxes are open."""
        return len(self._cells)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell, the one used longest ago first."""
        return tuple(self._cells)

    def named(self, name: str) -> Cell | None:
        """Find the cell whose sandbox has this id on this worker."""
        return next((cell for cell in self._cells if cell.sandbox.name == name), None)

    async def take(self, permissions: Permissions, guest: Guest) -> Cell:
        """Give a run the agent's warm cell, or open another over the same workspace. Raises SandboxUnavailable.

        Idle cells that need to be another sandbox under these permissions are closed.
        """
        for cell in [cell for cell in reversed(self._cells) if cell.agent == permissions.agent]:
            if cell.idle and cell.suits(permissions):
                cell.enter(guest)
                if await cell.load(permissions, tell=False):
                    self.changed.set()
                    return cell
            if cell.idle or cell.guest is guest:
                await self._close(cell)
        cell = await self._open(permissions)
        cell.enter(guest)
        self.changed.set()
        return cell

    async def give(self, cell: Cell, *, keep: bool) -> None:
        """Take a cell back from a run: cleaned already and kept warm, or closed."""
        if cell not in self._cells:
            return
        cell.leave()
        if not keep or not cell.alive:
            await self._close(cell)
            return
        self._cells.remove(cell)
        self._cells.append(cell)
        self.changed.set()
        idle = [cell for cell in self._cells if cell.idle and cell.alive]
        if len(idle) > self._most_warm:
            await self._close(idle[0])

    @contextlib.asynccontextmanager
    async def visit(self, permissions: Permissions, name: str = "") -> AsyncIterator[Cell]:
        """Be in a cell beside whatever is in it: the named one, else the agent's newest, else a new one.

        What a visitor runs ends at the latest with the run that is in the cell. Raises SandboxUnavailable, and
        LookupError where no cell has the name.
        """
        cell = await self._entered(permissions, name)
        self.changed.set()
        try:
            yield cell
        finally:
            await self._left(cell)

    async def load(self, permissions: Permissions) -> None:
        """Put permissions in force in every cell of their agent."""
        await asyncio.gather(*(cell.load(permissions) for cell in self._of(permissions.agent)))
        self.changed.set()

    def refuse(self, agent: str, version: int, problem: str) -> None:
        """Note in every cell of an agent why a version could not be put in force."""
        for cell in self._of(agent):
            cell.refuse(version, problem)
        self.changed.set()

    async def stop(self, name: str, *, force: bool) -> bool:
        """Close a cell and end its visitors' commands, one with a run in it only by force; whether it is gone."""
        cell = self.named(name)
        if cell is None:
            return True
        if cell.guest and not force:
            return False
        await self._close(cell)
        return True

    def adopt(self, cell: Cell) -> None:
        """Have an idle cell that was opened elsewhere."""
        self._cells.append(cell)
        self.changed.set()

    async def part(self, names: Collection[str]) -> list[Kept]:
        """Part with the idle cells whose sandboxes have these names, leaving those open; close all others."""
        parting = [cell for cell in self._cells if cell.idle and cell.alive and cell.sandbox.name in names]
        self._cells = [cell for cell in self._cells if cell not in parting]
        await self.aclose()
        return [await cell.part() for cell in parting]

    async def run(self) -> None:
        """Close what was idle for too long, until cancelled."""
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self._idle_seconds))
            limit = now() - self._idle_seconds
            for cell in [cell for cell in self._cells if cell.idle and (cell.idle_since < limit or not cell.alive)]:
                if cell.idle:
                    await self._close(cell)

    async def aclose(self) -> None:
        """Close everything."""
        await asyncio.gather(*(self._close(cell) for cell in self.cells))

    def _of(self, agent: str) -> list[Cell]:
        return [cell for cell in self._cells if cell.agent == agent and cell.alive]

    def _newest(self, agent: str) -> Cell | None:
        return next(reversed(self._of(agent)), None)

    async def _open(self, permissions: Permissions) -> Cell:
        cell = await self._builder.open(permissions)
        if died := self._died.pop(permissions.agent, ""):
            cell.logbook.write("rebuilt", f"in place of {died} The workspace is as it was")
        self._cells.append(cell)
        return cell

    async def _entered(self, permissions: Permissions, name: str) -> Cell:
        """Find or open a cell that lives, and count the visitor in."""
        if name:
            if (cell := self.named(name)) and await self._came(cell):
                return cell
            raise LookupError(name)
        async with self._arriving.setdefault(permissions.agent, asyncio.Lock()):  # or each would open one
            while cell := self._newest(permissions.agent):
                if await self._came(cell):
                    return cell
            cell = await self._open(permissions)
            cell.visitors += 1
            return cell

    @staticmethod
    async def _came(cell: Cell) -> bool:
        """Count a visitor in, where the cell still lives."""
        async with cell.door:
            cell.visitors += cell.alive
            return cell.alive

    async def _left(self, cell: Cell) -> None:
        """Count a visitor out; behind the last one it is cleaned up, unless a run is in it."""
        try:
            async with cell.door:
                if cell.visitors == 1 and cell.guest is None and cell.alive:
                    await cell.clean()
        except SandboxUnavailable:
            cell.stopping = True
        finally:
            cell.visitors -= 1
            cell.idle_since = now()
            self.changed.set()
        if not cell.alive:
            await self._close(cell)

    async def _close(self, cell: Cell) -> None:
        if cell in self._cells:
            if (ended := cell.sandbox.ended) and not cell.stopping:
                self._died[cell.agent] = f"{cell.sandbox.name}, which is gone: {ended}"
                while len(self._died) > DEATHS:
                    self._died.popitem(last=False)
            cell.stopping = True
            self.changed.set()
            await cell.aclose()
            with contextlib.suppress(ValueError):  # somebody closed it meanwhile
                self._cells.remove(cell)
            self.changed.set()
