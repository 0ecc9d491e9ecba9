"""The worker's ends of a command's streams: what goes in waits, bounded; what comes out is read on demand."""

import asyncio
import contextlib
import fcntl
import os

CHUNK_BYTES = 128 * 1024
"""Most bytes read at once."""
PIPE_BYTES = 256 * 1024
"""What a pipe holds, where the host allows it."""
WAITING_BYTES = 1024 * 1024
"""What waits for a command that does not read."""


def pipe() -> tuple[int, int]:
    """Make a roomy pipe, both ends blocking and closed on exec."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # more than an ordinary user may have in all
        fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return reading, writing


class Input:
    """The writing end of a command's standard input or terminal, which it owns."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd: int | None = fd
        self._buffer = bytearray()
        self._ending = False
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._room.set()

    async def feed(self, data: bytes) -> None:
        """Write it, or keep it for when it can be; waits while WAITING_BYTES wait. Nobody reading it is no error."""
        await self._room.wait()
        if self._fd is None or self._ending:
            return
        empty = not self._buffer
        self._buffer += data
        if empty:
            self._write()
        if len(self._buffer) >= WAITING_BYTES:
            self._room.clear()

    def end(self) -> None:
        """Close it behind what waits."""
        self._ending = True
        if not self._buffer:
            self.close()

    def close(self) -> None:
        """Close it now; what waits is dropped."""
        if self._fd is not None:
            self._loop.remove_writer(self._fd)
            os.close(self._fd)
            self._fd = None
        self._buffer.clear()
        self._room.set()

    def _write(self) -> None:
        while self._buffer and self._fd is not None:
            try:
                written = os.write(self._fd, memoryview(self._buffer)[:CHUNK_BYTES])
            except BlockingIOError:
                self._loop.add_writer(self._fd, self._write)
                return
            except OSError:  # nobody reads it any more
                self.close()
                return
            del self._buffer[:written]
            if len(self._buffer) < WAITING_BYTES:
                self._room.set()
        if self._fd is not None:
            self._loop.remove_writer(self._fd)
            if self._ending:
                self.close()


class Output:
    """The reading end of what a command writes, which it owns. What nobody reads holds up the command."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd: int | None = fd
        self._loop = asyncio.get_running_loop()
        self._readable = asyncio.Event()
        self._over = False

    async def read(self) -> bytes:
        """Wait for the next bytes, at most CHUNK_BYTES; none at the end."""
        while self._fd is not None:
            self._readable.clear()
            try:
                return os.read(self._fd, CHUNK_BYTES)
            except BlockingIOError:
                if self._over:
                    return b""
            except OSError:  # a terminal that is hung up
                return b""
            self._loop.add_reader(self._fd, self._readable.set)
            try:
                await self._readable.wait()
            finally:
                if self._fd is not None:
                    self._loop.remove_reader(self._fd)
        return b""

    def finish(self) -> None:
        """Let it end behind what is there already: the command ended, whoever else holds its output open."""
        self._over = True
        self._readable.set()

    def close(self) -> None:
        """Close it; what was not read is lost."""
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None
        self._over = True
        self._readable.set()
