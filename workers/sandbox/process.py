"""A process that was started in a sandbox, or a sidecar beside it."""

import asyncio
import os
import signal
from collections.abc import Callable

from workers.sandbox import terminal
from workers.sandbox.terminal import Terminal


class Process:
    """A running process. `pid` is its number where it runs: inside the sandbox, or on the host for a sidecar.

    `terminal` is the master of its terminal, non-blocking, None if it has none. The process owns it: read it until
    that fails with EIO (also after the process has ended, for what it wrote last), then `close`. `late` says that it
    was killed because its time was over.
    """

    def __init__(self, pid: int, kill: Callable[[int], None], terminal: int | None = None) -> None:
        self.pid = pid
        self.terminal = terminal
        self.late = False
        self._kill = kill
        self._loop = asyncio.get_running_loop()
        self._code: asyncio.Future[int] = self._loop.create_future()
        self._alarm: asyncio.TimerHandle | None = None
        if terminal is not None:
            os.set_blocking(terminal, False)

    @property
    def code(self) -> int | None:
        """The exit code, negative for the signal that ended it, None while it runs."""
        return self._code.result() if self._code.done() else None

    async def wait(self) -> int:
        """Wait for its end and return `code`. A process whose sandbox died was killed with it: -9."""
        return await asyncio.shield(self._code)

    async def signal(self, number: int) -> None:
        """Send a signal to its whole process group (to a sidecar alone). Nothing happens if it has ended already.

        ValueError if there is no such signal.
        """
        number = signal.Signals(number)
        if not self._code.done():
            self._kill(number)

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of its terminal; the foreground gets SIGWINCH.

        ValueError if the numbers are not 1 to 65535 or there is no terminal (any more).
        """
        size = Terminal(rows, columns)
        if self.terminal is None:
            raise ValueError("the process has no terminal.")
        terminal.resize(self.terminal, size)

    def close(self) -> None:
        """Close its terminal, which hangs up on what still uses it. Take the fd out of the event loop before."""
        if self.terminal is not None:
            os.close(self.terminal)
            self.terminal = None

    def bound(self, seconds: float) -> None:
        """Have its process group killed when that time is over."""
        if not self._code.done():
            self._alarm = self._loop.call_later(seconds, self._expire)

    def ended(self, code: int) -> None:
        """Take the exit code, from the owner of the control socket."""
        if self._alarm is not None:
            self._alarm.cancel()
        if not self._code.done():
            self._code.set_result(code)

    def _expire(self) -> None:
        self.late = True
        self._kill(signal.SIGKILL)

    def __del__(self) -> None:
        self.close()
