"""One real program of a test: started, heard, stopped by its pid."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from signet.up.notices import Notice, Notices

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
_LINES = 60


class ProcessError(AssertionError):
    """Raised when a program does not do what was waited for; carries its last lines."""


class Process:
    """A program: `async with Process(folder, "web", "--data", …) as web:`, ready in the block, stopped after it.

    The words are those of `signet`; `module` names another to run. `folder` has to be short, as socket paths are; what
    the program says is in `folder/<name>.log`. It dies with this process.
    """

    def __init__(
        self, folder: Path, *words: str, environment: Mapping[str, str | None] | None = None, module: str = "signet.cli"
    ) -> None:
        self.name = words[0] if words else module
        self.log = folder / f"{self.name}.log"
        self._folder = folder
        self._argv = (sys.executable, "-m", module, *words)
        self._environment = dict(environment or {})
        self._heard = asyncio.Event()
        self._last = Notice()
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Start it and wait until it is ready."""
        await self.start()
        try:
            await self.ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""
        await self.stop()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._started().pid

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._started().returncode

    @property
    def said(self) -> str:
        """What it printed so far, on both streams."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    async def start(self) -> None:
        """Start it, and return at once."""
        place = self._folder / f"{self.name}.notify"
        self._notices = Notices(place, self._hear)
        told = {"NOTIFY_SOCKET": str(place), "SIGNET_PARENT": str(os.getpid())}
        environment = {**os.environ, **told, **self._environment}
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={name: value for name, value in environment.items() if value is not None},
                start_new_session=True,  # a Ctrl-C at the tests is not one at the program
            )

    async def ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until it says that it serves. Raises ProcessError when it ends, gives up, or takes longer."""
        ended = asyncio.create_task(self._started().wait())
        heard = asyncio.create_task(self._heard.wait())
        await asyncio.wait([ended, heard], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        heard.cancel()
        if not self._last.ready:
            raise ProcessError(f"{self.name} is not ready (exit code {self.code}): {self._tail()}")

    async def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for its end and give its exit code. Raises ProcessError when it stays."""
        try:
            async with asyncio.timeout(seconds):
                return await self._started().wait()
        except TimeoutError:
            raise ProcessError(f"{self.name} still runs after {seconds:.0f} s: {self._tail()}") from None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; one that has ended gets none."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)  # asyncio's own way may take the exit code from under whoever waits for it

    async def stop(self) -> int:
        """Ask it to end, wait, and give its exit code; one that stays is killed and raises ProcessError."""
        try:
            self.send(signal.SIGTERM)
            return await self.wait()
        finally:
            self.send(signal.SIGKILL)
            await self._started().wait()
            self._notices.close()

    def _hear(self, notice: Notice) -> None:
        if notice.ready or notice.failed:
            self._last = notice
            self._heard.set()

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise ProcessError(f"{self.name} was not started")
        return self._process

    def _tail(self) -> str:
        return "\n".join(["", *self.said.splitlines()[-_LINES:]])
