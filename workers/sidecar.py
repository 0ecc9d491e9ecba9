"""The worker's end of a sandbox's inference sidecar: arm it for a run, hear its reports, start it anew when it dies."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable

from signet.kit.log import Log
from workers.backoff import Backoff
from workers.control import LeaseLost
from workers.exchanges import Exchanges
from workers.sandbox.errors import SandboxUnavailable
from workers.sandbox.launcher import Launcher
from workers.sandbox.process import Process
from workers.sidecars import reports
from workers.upload import Rejected

ENTRY = "workers.sidecars.inference:main"
ANSWER_SECONDS = 5.0
"""How long it may take to obey."""
READ_BYTES = 256 * 1024


class SidecarLost(Exception):
    """The sidecar does not do as it is told."""


class Sidecar:
    """One sidecar on a kept listener. Between `arm` and `disarm` its reports go to the run's exchanges."""

    def __init__(self, launcher: Launcher, listener: socket.socket, log: Log) -> None:
        self._launcher = launcher
        self._listener = listener
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._process: Process | None = None
        self._control: socket.socket | None = None
        self._buffer = bytearray()
        self._order: reports.Fields | None = None
        self._exchanges: Exchanges | None = None
        self._obeyed: asyncio.Future[str] | None = None
        self._mending: asyncio.Task[None] | None = None
        self._pausing: asyncio.Task[None] | None = None
        self._telling = asyncio.Lock()
        self.restarts = 0
        """How often it was started anew after it had died."""

    async def start(self) -> None:
        """Fork it. Raises SandboxUnavailable."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        try:
            with theirs:
                fds = {3: self._listener.fileno(), 4: theirs.fileno()}
                self._process = await self._launcher.sidecar(ENTRY, fds=fds)
        except BaseException:
            ours.close()
            raise
        self._control = ours
        self._buffer.clear()
        self._loop.add_reader(ours, self._read)

    async def arm(
        self, *, run: str, token: str, policy: str, door: str, patience_seconds: float, exchanges: Exchanges
    ) -> None:
        """Let the sandbox ask in a run's name, and call the APIs that a policy's token names.

        Raises SidecarLost, SandboxUnavailable.
        """
        if self._control is None:  # it died while nobody needed it
            await self._restart()
        self._exchanges = exchanges
        self._order = {
            "run": run, "token": token, "policy": policy, "door": door, "patience_seconds": patience_seconds
        }  # fmt: skip
        await self._tell("arm", {**self._order, "index": exchanges.index})

    async def renew(self, policy: str) -> None:
        """Let a run that goes on call the APIs that another token names; one that does not obey is started anew."""
        if self._order is None or self._order["policy"] == policy:
            return
        self._order = {**self._order, "policy": policy}
        try:
            await self._tell("renew", {"policy": policy})
        except SidecarLost:
            if self._process and self._control:
                await self._process.signal(signal.SIGKILL)

    async def disarm(self) -> None:
        """Refuse everything from now on; every report was heard when this returns. Raises SidecarLost."""
        if self._order is None:
            return
        self._order = None
        try:
            await self._tell("disarm", {})
        finally:
            self._lost_exchanges()
            self._exchanges = None

    def poll(self) -> None:
        """Hear what was said already: what the runtime says next happened after it."""
        if self._control and self._pausing is None:
            self._read()

    async def aclose(self) -> None:
        """End it."""
        self._order = None
        self._drop()
        for task in (self._mending, self._pausing):
            if task:
                task.cancel()
                await asyncio.wait([task])
        if self._process:
            await self._process.signal(signal.SIGKILL)
            await self._process.wait()

    async def _tell(self, kind: str, fields: reports.Fields) -> None:
        async with self._telling:
            if self._control is None:
                raise SidecarLost("it ended")
            self._obeyed = self._loop.create_future()
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._loop.sock_sendall(self._control, reports.encode(kind, fields))
                    await self._obeyed
            except (OSError, TimeoutError) as error:
                raise SidecarLost(f"it did not {kind}") from error
            finally:
                self._obeyed = None

    def _read(self) -> None:
        while self._control and self._pausing is None:
            try:
                data = self._control.recv(READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._ended()
                return
            self._buffer += data
            while message := reports.take(self._buffer):
                self._hear(message)

    def _hear(self, message: reports.Message) -> None:
        if message.kind in ("armed", "renewed", "disarmed"):
            if self._obeyed and not self._obeyed.done():
                self._obeyed.set_result(message.kind)
        elif self._exchanges:
            told = self._exchanges.started if message.kind == "started" else self._exchanges.finished
            told(message.fields, message.body)
            if not self._exchanges.uploader.roomy:
                self._pause()

    def _pause(self) -> None:
        """Hear no more until there is room again."""
        if self._pausing or not self._control or not self._exchanges:
            return
        self._loop.remove_reader(self._control)
        self._pausing = self._loop.create_task(self._resume(self._exchanges.uploader.room))

    async def _resume(self, room: Callable[[], Awaitable[None]]) -> None:
        with contextlib.suppress(LeaseLost, Rejected):  # the writer ended: the run's own task hears of it
            await room()
        self._pausing = None
        if self._control:
            self._loop.add_reader(self._control, self._read)
            self._read()

    def _ended(self) -> None:
        self._drop()
        if self._obeyed and not self._obeyed.done():
            self._obeyed.set_exception(SidecarLost("it ended"))
        self._lost_exchanges()
        if self._order is not None:
            self._log.warning("sidecar_ended", run=self._order["run"])
            self._mending = self._loop.create_task(self._mend())

    async def _mend(self) -> None:
        backoff = Backoff(first=0.02, most=2.0)
        while self._order is not None and self._exchanges is not None:
            try:
                await self._restart()
                await self._tell("arm", {**self._order, "index": self._exchanges.index})
            except (SidecarLost, SandboxUnavailable):
                self._drop()
                await asyncio.sleep(backoff.next())
            else:
                return

    async def _restart(self) -> None:
        await self.start()
        self.restarts += 1

    def _lost_exchanges(self) -> None:
        if self._exchanges:
            self._exchanges.lost()

    def _drop(self) -> None:
        if self._control:
            self._loop.remove_reader(self._control)
            self._control.close()
            self._control = None
