"""Keeps one program running: started when what it needs is there, started again when it ends, stopped when asked."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from signet.up.backoff import Backoff
from signet.up.child import Child
from signet.up.journal import Journal
from signet.up.notices import Notice
from signet.up.plan import Program

State = Literal["waiting", "starting", "ready", "restarting", "looping", "stopped"]


@dataclass(frozen=True)
class Standing:
    """Where a program stands.

    `pid` is 0 while it does not run. `since` is the time of this state, in seconds since the epoch; `took_seconds` how
    long its last start took until ready. `detail` is its own word on it, or why it ended, and then `last_lines` are
    those of its log.
    """

    name: str
    state: State = "waiting"
    pid: int = 0
    since: float = 0.0
    took_seconds: float = 0.0
    restarts: int = 0
    detail: str = ""
    last_lines: tuple[str, ...] = ()


class Keeper:
    """One program's keeper. `settled` is set once the program was ready, or turned out to be in a crash loop."""

    def __init__(self, program: Program, journal: Journal, sockets: Path, tell: Callable[[Standing], None]) -> None:
        self.program = program
        self.journal = journal
        self.standing = Standing(program.name, since=time.time())
        self.settled = asyncio.Event()
        self._tell = tell
        self._notify_at = sockets / f"notify-{program.name}.sock"
        self._backoff = Backoff()
        self._child: Child | None = None
        self._began = 0.0
        self._failure = ""
        self._stopping = False

    async def run(self, needed: Sequence["Keeper"]) -> None:
        """Keep it running. Returns after `stop`; cancelling kills it."""
        try:
            for keeper in needed:
                await keeper.settled.wait()  # one that does not stay up holds nobody else back
            while not self._stopping:
                reason = await self._live()
                if not self._stopping:
                    await self._rest(reason)
        finally:
            self.kill()
            self.journal.close()
            self._turn(state="stopped", pid=0)

    async def stop(self) -> None:
        """Let it end, within its `stop_seconds`, and start it no more."""
        self._stopping = True
        if self._child:
            await self._child.stop(self.program.stop_seconds)

    def kill(self) -> None:
        """End it now, with its group, and start it no more."""
        self._stopping = True
        if self._child:
            self._child.kill()

    async def _live(self) -> str:
        """See one life through, and say how it ended."""
        self._began = time.monotonic()
        self._failure = ""
        try:
            self._child = Child(self.program, self.journal, self._notify_at, self._hear)
        except OSError as error:
            return f"could not be started: {error}"
        self._turn(state="starting", pid=self._child.pid, detail="", last_lines=())
        late = asyncio.get_running_loop().call_later(self.program.ready_seconds, self._late, self._child)
        try:
            code = await self._child.wait()
        finally:
            late.cancel()
        return self._failure or (f"was ended by signal {-code}" if code < 0 else f"ended with code {code}")

    async def _rest(self, reason: str) -> None:
        """Wait as long as is due before the next life."""
        now = time.monotonic()
        pause = self._backoff.ended(now, now - self._began)
        state: State = "looping" if self._backoff.looping else "restarting"
        last = tuple(self.journal.last())
        self._turn(state=state, pid=0, detail=reason, last_lines=last, restarts=self.standing.restarts + 1)
        if self._backoff.looping:
            self.settled.set()
        await asyncio.sleep(pause)

    def _hear(self, notice: Notice) -> None:
        if notice.failed:
            self._failure = notice.status
        elif notice.ready and self.standing.state == "starting":
            self._turn(state="ready", took_seconds=time.monotonic() - self._began, detail=notice.status)
            self.settled.set()
        elif notice.status:
            self._turn(detail=notice.status)

    def _late(self, child: Child) -> None:
        if self.standing.state == "starting":
            self._failure = f"was not ready after {self.program.ready_seconds:.0f} s"
            child.kill()

    def _turn(self, **changes: Any) -> None:
        if changes.get("state", self.standing.state) != self.standing.state:
            changes["since"] = time.time()
        self.standing = replace(self.standing, **changes)
        self._tell(self.standing)
