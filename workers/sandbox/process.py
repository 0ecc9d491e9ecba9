"""A process that was started in a sandbox, or a sidecar beside it."""

import asyncio
import signal
from collections.abc import Callable


class Process:
    """A running process. `pid` is its number where it runs: inside the sandbox, or on the host for a sidecar."""

    def __init__(self, pid: int, kill: Callable[[int], None]) -> None:
        self.pid = pid
        self._kill = kill
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

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

    def ended(self, code: int) -> None:
        """Take the exit code, from the owner of the control socket."""
        if not self._code.done():
            self._code.set_result(code)
