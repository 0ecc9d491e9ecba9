"""The embedded models' process, watched over: started, restarted with back-off, and ended with the router."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from router.embedded.plan import Plan, Report
from router.model import Health, State
from signet.kit.log import Log

_FIRST_RETRY_SECONDS = 0.2
_LAST_RETRY_SECONDS = 30.0
_STEADY_SECONDS = 60.0  # who lived that long begins again with the short wait
_LOAD_SECONDS = 120.0
_END_SECONDS = 3.0
_NOTICE_SECONDS = 0.5
_PARTS = ("chat", "embeddings")
_STARTING = Health(State.STARTING, "its weights are being checked and loaded")

# The rest of the router's environment stays here: it may hold keys.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH")


class Child:
    """Runs `python -m router.embedded`. Each part, chat and embeddings, has a state of its own."""

    def __init__(self, plan: Plan, log: Log) -> None:
        self._plan = plan
        self._log = log
        self._health = dict.fromkeys(_PARTS, _STARTING)
        self._sha256 = dict.fromkeys(_PARTS, "")
        self._changed = asyncio.Condition()
        self._process: asyncio.subprocess.Process | None = None
        self._again = asyncio.Event()
        self._launched = asyncio.Event()

    @property
    def plan(self) -> Plan:
        """What it serves, and where."""
        return self._plan

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def health(self, part: str) -> Health:
        """How a part is now."""
        return self._health[part]

    def sha256(self, part: str) -> str:
        """Of a part's weights; empty before they were checked."""
        return self._sha256[part]

    async def settled(self, part: str, wait_seconds: float) -> Health:
        """Wait until a part is not STARTING any more, or the time is over."""
        try:
            async with asyncio.timeout(wait_seconds), self._changed:
                await self._changed.wait_for(lambda: self._health[part].state is not State.STARTING)
        except TimeoutError:
            pass
        return self._health[part]

    async def launched(self) -> None:
        """Wait until its process was started once, so that it loads while others do something else."""
        await self._launched.wait()

    async def died(self) -> bool:
        """Say whether its process has ended; one that was killed just now takes a moment to be noticed."""
        if any(health.state is State.STARTING for health in self._health.values()):
            return True
        try:
            async with asyncio.timeout(_NOTICE_SECONDS), self._changed:
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def mend(self) -> None:
        """Start anew if a part is UNAVAILABLE: somebody may have mended its cause."""
        if any(health.state is State.UNAVAILABLE for health in self._health.values()):
            self._health = dict.fromkeys(_PARTS, _STARTING)
            self._again.set()
            if self.pid and self._process:
                self._process.kill()

    async def run(self) -> None:
        """Keep the process running until cancelled; when this returns, it has ended."""
        retry = _FIRST_RETRY_SECONDS
        while True:
            began = time.monotonic()
            self._again.clear()
            try:
                code = await self._live()
            except (OSError, ValueError, TypeError) as error:  # no process to be had, or no report of ours
                self._log.error("embedded_failed", kind=type(error).__name__)
                code = 1
            self._launched.set()  # or could not be, which must hold up nobody
            if time.monotonic() - began > _STEADY_SECONDS:
                retry = _FIRST_RETRY_SECONDS
            self._log.warning("embedded_ended", code=code, retry_seconds=retry)
            detail = f"its process ended ({_meaning(code)}) and is being started again"
            await self._set(dict.fromkeys(_PARTS, Health(State.STARTING, detail)))
            try:
                async with asyncio.timeout(retry):
                    await self._again.wait()
            except TimeoutError:
                pass
            retry = min(retry * 2, _LAST_RETRY_SECONDS)

    async def _live(self) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "router.embedded",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=_environment(), cwd=Path(__file__).parent.parent.parent,
        )  # fmt: skip
        self._process = process
        self._log.info("embedded_started", pid=process.pid)
        try:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("a child that was given pipes has none")
            process.stdin.write(self._plan.line())
            self._launched.set()
            await self._listen(process.stdout)
            return await process.wait()
        finally:
            await _end(process)

    async def _listen(self, reports: asyncio.StreamReader) -> None:
        """Take the reports until the process closes its end, which it does by ending."""
        waiting = set(_PARTS)
        while True:
            try:
                async with asyncio.timeout(_LOAD_SECONDS if waiting else None):
                    line = await reports.readline()
            except TimeoutError:
                self._log.error("embedded_stuck", parts=sorted(waiting))
                return
            if not line:
                return
            report = Report.parse(line)
            waiting.discard(report.part)
            await self._take(report)

    async def _take(self, report: Report) -> None:
        if report.ready:
            self._sha256[report.part] = report.sha256
            self._log.info("embedded_ready", part=report.part)
        else:
            self._log.error("embedded_unavailable", part=report.part, detail=report.detail)
        health = Health(State.READY) if report.ready else Health(State.UNAVAILABLE, report.detail)
        await self._set({report.part: health})

    async def _set(self, health: Mapping[str, Health]) -> None:
        async with self._changed:
            self._health = {**self._health, **health}
            self._changed.notify_all()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**kept, "SIGNET_PARENT": str(os.getpid()), "PYTHONDONTWRITEBYTECODE": "1"}


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()  # it has no state and nothing to say good-bye to
    async with asyncio.timeout(_END_SECONDS):
        await process.wait()


def _meaning(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"code {code}"
