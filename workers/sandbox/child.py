"""A process that this one started, waited for by a pidfd: so that it can be found again after an exec of this one."""

import asyncio
import fcntl
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Final, Self

_CONTROL: Final = 3
_HIGH: Final = 64


class Child:
    """A child. Needs a running event loop, and collects the child's exit code itself."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._loop = asyncio.get_running_loop()
        self._code: asyncio.Future[int] = self._loop.create_future()
        self._pidfd: int | None = os.pidfd_open(pid)
        self._loop.add_reader(self._pidfd, self._ended)

    @classmethod
    def start(cls, argv: Sequence[str], env: Mapping[str, str], control: int) -> Self:
        """Start a program in a session of its own, with nothing open but standard error and `control`, which is its 3.

        OSError if it cannot be started.
        """
        high = fcntl.fcntl(control, fcntl.F_DUPFD_CLOEXEC, _HIGH)
        try:
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, high, _CONTROL),
            ]
            return cls(os.posix_spawn(argv[0], list(argv), env, file_actions=actions, setsid=True, setsigmask=[]))
        finally:
            os.close(high)

    async def wait(self) -> int:
        """Wait for its end; the exit code, negative for the signal that ended it."""
        return await asyncio.shield(self._code)

    def kill(self) -> None:
        """Kill it. Nothing happens if it is dead."""
        if self._pidfd is not None:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def release(self) -> None:
        """Look after it no more; who takes its pid can."""
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None

    def _ended(self) -> None:
        self.release()
        try:
            _, status = os.waitpid(self.pid, 0)
        except ChildProcessError:  # collected by whoever looked after it before
            status = 0
        if not self._code.done():
            self._code.set_result(os.waitstatus_to_exitcode(status))
