"""One life of a program: started in a process group of its own, heard, waited for, ended whole."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from signet.up.journal import Journal
from signet.up.notices import Notice, Notices
from signet.up.plan import Program

_PIECE_BYTES = 65536
_PIECES = 16  # taken at once, so that one that floods does not keep the others waiting


_KEEPER = "router"
"""The program that keeps keys and secrets."""
_SECRET = ("SIGNET_SECRET_", "SIGNET_ROUTER_DATABASE", "OPENAI_API_KEY", "PGPASSWORD")


class Child:
    """A started program."""

    def __init__(self, program: Program, journal: Journal, notify_at: Path, hear: Callable[[Notice], None]) -> None:
        """Start it. Raises OSError where that fails."""
        loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._code = 0
        self._journal = journal
        self._notices = Notices(notify_at, hear)
        told = {"NOTIFY_SOCKET": str(notify_at), "SIGNET_PARENT": str(os.getpid())}
        try:
            self._process = subprocess.Popen(
                program.argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=_handed(program) | dict(program.environment) | told,
                start_new_session=True,  # the terminal's Ctrl-C is for the supervisor, which stops them in order
            )
        except OSError:
            self._notices.close()
            raise
        self.pid = self._process.pid
        self._ends = os.pidfd_open(self.pid)
        loop.add_reader(self._ends, self._reap)
        self._output = self._process.stdout.fileno() if self._process.stdout else -1
        os.set_blocking(self._output, False)
        loop.add_reader(self._output, self._read)

    async def wait(self) -> int:
        """Wait for its end, and give its exit code, negative for a signal."""
        await self._ended.wait()
        return self._code

    async def stop(self, seconds: float) -> None:
        """Ask it to end, and kill it and its group where it has not after so long."""
        if not self._ended.is_set():
            self._process.terminate()
        try:
            async with asyncio.timeout(seconds):
                await self.wait()
        except TimeoutError:
            self.kill()
            await self.wait()

    def kill(self) -> None:
        """End it and its group now."""
        if not self._ended.is_set():
            _kill_group(self.pid)

    def _reap(self) -> None:
        """Take note of its end; whatever is left of its group ends with it."""
        _kill_group(self.pid)  # before it is reaped, while its number is surely its own
        self._code = self._process.wait()
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._ends)
        os.close(self._ends)
        self._read()
        if self._output >= 0:
            self._close_output()
        self._notices.close()
        self._ended.set()

    def _read(self) -> None:
        for _ in range(_PIECES):
            if self._output < 0:
                return
            try:
                piece = os.read(self._output, _PIECE_BYTES)
            except BlockingIOError:
                return
            if not piece:
                self._close_output()
                return
            self._journal.write(piece)

    def _close_output(self) -> None:
        asyncio.get_running_loop().remove_reader(self._output)
        self._output = -1
        if self._process.stdout:
            self._process.stdout.close()


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _handed(program: Program) -> dict[str, str]:
    """Give the environment that a program inherits: the keys and secrets in it are for one alone."""
    if program.name == _KEEPER:
        return dict(os.environ)
    return {name: value for name, value in os.environ.items() if not name.startswith(_SECRET)}
