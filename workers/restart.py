"""A clean restart: on SIGHUP the worker becomes a new process of the same pid, and its warm sandboxes stay.

What it has to know of them passes through a memfd, which no other process sees and no disk holds, and the sockets to
them are simply not closed. Everything else begins anew: code, options, the connection to control.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from signet.kit.log import Log

VARIABLE = "SIGNET_WORKER_STATE"
"""Where the next process finds the number of the memfd."""
_NAME = "signet-worker"

Quiet = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Carried:
    """What the process before this one left: its state, and descriptors, which are this one's by now."""

    state: Mapping[str, Any]
    fds: tuple[int, ...]


class Restart:
    """Whether this process is to go on as a new one. `ending` is set when it has to end, for whatever reason.

    A stop counts for more than a restart, also where it comes later. SIGHUP again while one waits changes nothing.
    """

    def __init__(self, stop: asyncio.Event, log: Log) -> None:
        self._stop = stop
        self._log = log
        self._asked = asyncio.Event()
        self._due = False
        self.ending = asyncio.Event()

    @property
    def due(self) -> bool:
        """Whether the end is to be a new beginning."""
        return self._due and not self._stop.is_set()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear SIGHUP and the stop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.ask)
        stopping = asyncio.create_task(self._stopped())
        try:
            yield
        finally:
            stopping.cancel()
            await asyncio.wait([stopping])
            loop.remove_signal_handler(signal.SIGHUP)
            _pass_over()

    def ask(self) -> None:
        """Have it restarted."""
        self._asked.set()

    async def run(self, quiet: Quiet, seconds: float) -> None:
        """When a restart is asked for, wait until it is `quiet`, at most that long; then let it end."""
        await self._asked.wait()
        self._log.info("restart_asked", seconds=seconds)
        try:
            async with asyncio.timeout(seconds):
                await quiet()
        except TimeoutError:
            self._log.warning("restart_not_quiet", seconds=seconds)
        self._due = True
        self.ending.set()

    async def _stopped(self) -> None:
        await self._stop.wait()
        self.ending.set()


def carry(state: Mapping[str, Any], fds: Iterable[int]) -> NoReturn:
    """Become the same program anew, with this state and these descriptors. Raises OSError where that cannot be.

    For the main thread: what the zygote is told by the kernel of its parent's end is told of the thread that forked it.
    """
    kept = list(fds)
    memory = os.memfd_create(_NAME, os.MFD_CLOEXEC)
    with open(memory, "wb", closefd=False) as file:
        file.write(json.dumps({"state": state, "fds": kept}).encode())
    os.lseek(memory, 0, os.SEEK_SET)
    for fd in (memory, *kept):
        os.set_inheritable(fd, True)
    sys.stderr.flush()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the next process can hear it
    try:
        environment = {**os.environ, VARIABLE: str(memory)}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - it is what we are
    except OSError:
        _pass_over()
        for fd in (memory, *kept):
            os.set_inheritable(fd, False)
        os.close(memory)
        raise


def carried() -> Carried | None:
    """Take what `carry` left, once; None where this is a first start. For the main thread."""
    _pass_over()
    number = os.environ.pop(VARIABLE, "")
    if not number.isdecimal():
        return None
    memory = int(number)
    try:
        if not os.readlink(f"/proc/self/fd/{memory}").startswith(f"/memfd:{_NAME} "):  # noqa: PTH115 - it is no path
            return None
        with open(memory, "rb") as file:
            found = json.loads(file.read())
    except OSError:  # the variable is an older process's
        return None
    for fd in found["fds"]:
        os.set_inheritable(fd, False)
    return Carried(found["state"], tuple(found["fds"]))


def _pass_over() -> None:
    """Let SIGHUP do nothing while this process begins or ends; unlike one that is ignored, no child inherits that."""
    signal.signal(signal.SIGHUP, lambda *_: None)
