"""One direction of a tunnel: bytes move from socket to socket through a pipe, never through this process."""

import asyncio
import contextlib
import fcntl
import os
import socket
from collections.abc import Callable
from typing import Final

PIPE_BYTES: Final = 256 * 1024
"""Wanted; a user who has many pipes is given the system's default."""
_ROUNDS: Final = 8
"""Fills of the pipe before others have their turn."""
_SHARE: Final = 1 << 30


class Flow:
    """From `source` to `sink`, both non-blocking, until the source ends: then the sink's writing side is shut down.

    `done` is set at that end, or to the OSError that broke it. `told` is called with the bytes of every move; what it
    raises breaks the flow. The owner closes the sockets after `close`.
    """

    def __init__(self, source: socket.socket, sink: socket.socket, told: Callable[[int], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()
        self._source, self._sink = source, sink
        self._told = told
        self._from, self._to = source.fileno(), sink.fileno()
        self._out, self._in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._held = 0
        self._waits = ""  # for: read, write

    def start(self) -> None:
        """Begin to move."""
        self._wait("read")

    def close(self) -> None:
        """Stop. May be called twice."""
        self._wait("")
        if self._out >= 0:
            os.close(self._out)
            os.close(self._in)
            self._out = self._in = -1
        if not self.done.cancel() and not self.done.cancelled():
            self.done.exception()  # seen, whoever looks

    def _move(self) -> None:
        try:
            for _ in range(_ROUNDS):
                if not self._held and not self._fill():
                    return
                if not self._drain():
                    return
            self._wait("read")
        except Exception as error:  # noqa: BLE001 - of a socket, or of whoever counts: it ends the tunnel
            self._finish(error)

    def _fill(self) -> bool:
        try:
            self._held = os.splice(self._from, self._in, _SHARE, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            self._wait("read")
            return False
        if not self._held:
            with contextlib.suppress(OSError):
                self._sink.shutdown(socket.SHUT_WR)
            self._finish(None)
            return False
        self._told(self._held)
        return True

    def _drain(self) -> bool:
        while self._held:
            try:
                self._held -= os.splice(self._out, self._to, self._held, flags=os.SPLICE_F_NONBLOCK)
            except BlockingIOError:
                self._wait("write")
                return False
        return True

    def _wait(self, what: str) -> None:
        if what == self._waits:
            return
        if self._waits == "read":
            self._loop.remove_reader(self._from)
        elif self._waits == "write":
            self._loop.remove_writer(self._to)
        self._waits = what
        if what == "read":
            self._loop.add_reader(self._from, self._move)
        elif what == "write":
            self._loop.add_writer(self._to, self._move)

    def _finish(self, error: Exception | None) -> None:
        self._wait("")
        if self.done.done():
            return
        if error:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)
