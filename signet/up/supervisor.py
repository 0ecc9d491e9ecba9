"""The supervisor of a fleet on one machine: holds its data folder, keeps its programs, answers at its door."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from signet.kit.home import Home
from signet.up.door import Door
from signet.up.journal import Journal
from signet.up.keeper import Keeper, Standing
from signet.up.memory import descendants, parents, pss_bytes
from signet.up.plan import Choices, plan

Tell = Callable[[Standing], None]


class Supervisor:
    """Keeps the programs of one data folder. `run` does all of it; the rest may be called while it runs."""

    def __init__(self, home: Home, choices: Choices, addresses: Mapping[str, str], tell: Tell) -> None:
        """`tell` hears every change of every program, at once."""
        self._home = home
        self._addresses = addresses
        self._started = time.time()
        self._stop = asyncio.Event()
        self.keepers = {
            program.name: Keeper(program, Journal(home.logs / f"{program.name}.log"), home.sockets, tell)
            for program in plan(home, choices)
        }

    async def run(self) -> None:
        """Start the programs and keep them until `stop`; then stop them, the last one first.

        Cancelling kills them. Raises HomeError where another supervisor holds the folder.
        """
        lock = self._home.hold("up")
        door = Door(self._home.socket("up.sock"), {"status": self.status, "stop": self._stop_asked})
        try:
            async with door, asyncio.TaskGroup() as group:
                tasks = {
                    name: group.create_task(keeper.run([self.keepers[other] for other in keeper.program.needs]))
                    for name, keeper in self.keepers.items()
                }
                await self._stop.wait()
                for name in reversed(tasks):
                    await self.keepers[name].stop()
                    tasks[name].cancel()
        finally:
            os.close(lock)

    async def settled(self) -> bool:
        """Wait until every program was ready or cannot be had; tell whether all are ready."""
        for keeper in self.keepers.values():
            await keeper.settled.wait()
        return all(keeper.standing.state == "ready" for keeper in self.keepers.values())

    def stop(self) -> None:
        """End the fleet, each program in its own time; a second call ends it now."""
        if self._stop.is_set():
            for keeper in self.keepers.values():
                keeper.kill()
        self._stop.set()

    def status(self) -> dict[str, Any]:
        """Say where everything stands, as `signet status -o json` shows it."""
        family = parents()
        now = time.time()
        processes = []
        for keeper in self.keepers.values():
            standing = keeper.standing
            shown = asdict(standing) | {"uptime_seconds": round(now - standing.since, 1) if standing.pid else 0.0}
            del shown["since"]
            tree = descendants(standing.pid, family) if standing.pid else []
            processes.append(shown | {"pss_bytes": pss_bytes(tree), "log": str(keeper.journal.path)})
        own = pss_bytes([os.getpid()])
        return {
            "data": str(self._home.root),
            "pid": os.getpid(),
            "uptime_seconds": round(now - self._started, 1),
            "processes": processes,
            "pss_bytes": own + sum(int(shown["pss_bytes"]) for shown in processes),
            "addresses": self.addresses(),
        }

    def addresses(self) -> dict[str, str]:
        """Give where each service answers; the pages say it themselves once they do."""
        said = self.keepers["web"].standing.detail
        return dict(self._addresses) | ({"web": said} if said.startswith("http") else {})

    def _stop_asked(self) -> dict[str, Any]:
        self.stop()
        return {"pid": os.getpid()}
