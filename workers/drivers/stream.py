"""A descriptor at one end of a tunnel: its bytes go to the far side as far as there is credit, and come from there."""

import asyncio
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from workers.drivers.frames import BadFrame, Kind, count

WINDOW_BYTES: Final = 256 * 1024
"""What may be on its way on one channel, in each direction."""

_PIECE_BYTES: Final = 64 * 1024
_RETURN_BYTES: Final = WINDOW_BYTES // 4

Send = Callable[[Kind, bytes], None]


class Stream:
    """One channel, which owns `fd` (-1 once it is closed) and makes it non-blocking.

    `send` sends a frame of this channel, `on_done` is called once, when both directions are over.
    """

    def __init__(self, fd: int, send: Send, on_done: Callable[[], None], *, reads: bool, writes: bool) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._send = send
        self._on_done = on_done
        self._loop = asyncio.get_running_loop()
        self._reads, self._writes = reads, writes
        self._credit = WINDOW_BYTES
        self._returned = 0
        self._paused = False
        self._waiting = bytearray()
        self._last = False
        self._heed()

    def pause(self, *, paused: bool) -> None:
        """Stop reading, or go on."""
        self._paused = paused
        self._heed()

    def data(self, payload: bytes) -> None:
        """Take bytes from the far side. Raises BadFrame where they are more than was granted."""
        if len(payload) > WINDOW_BYTES - len(self._waiting) - self._returned or self._last:
            raise BadFrame("more bytes than were granted")
        if self._writes:
            self._waiting += payload
            self._write()

    def end(self) -> None:
        """Take that no more bytes come."""
        self._last = True
        self._write()

    def stop(self) -> None:
        """Take that nobody wants this descriptor's bytes."""
        if self._reads:
            self._reads = False
            self._loop.remove_reader(self.fd)
            self._send(Kind.END, b"")
            self._settle()

    def exhaust(self) -> None:
        """Read what is there, as far as there is credit, and no more after it."""
        while self._reads and self._credit:
            before = self._credit
            self._read()
            if self._credit == before:
                break
        self.stop()

    def credit(self, number: int) -> None:
        """Take that more bytes may be sent. Raises BadFrame where that is more than can be."""
        self._credit += number
        if self._credit > WINDOW_BYTES:
            raise BadFrame("more credit than there is")
        self._heed()

    def close(self) -> None:
        """Close it at once."""
        if self.fd >= 0:
            self._loop.remove_reader(self.fd)
            self._loop.remove_writer(self.fd)
            os.close(self.fd)
            self.fd = -1

    def _heed(self) -> None:
        if self.fd < 0:
            return
        if self._reads and self._credit and not self._paused:
            self._loop.add_reader(self.fd, self._read)
        else:
            self._loop.remove_reader(self.fd)

    def _read(self) -> None:
        try:
            piece = os.read(self.fd, min(_PIECE_BYTES, self._credit))
        except BlockingIOError:
            return
        except OSError:  # a terminal whose last process is gone says EIO
            piece = b""
        if piece:
            self._credit -= len(piece)
            self._send(Kind.DATA, piece)
            if not self._credit:
                self._heed()
            return
        self._reads = False
        self._loop.remove_reader(self.fd)
        self._send(Kind.END, b"")
        self._settle()

    def _write(self) -> None:
        if self.fd < 0 or not self._writes:
            return
        written = 0
        try:
            while self._waiting:
                step = os.write(self.fd, self._waiting)
                del self._waiting[:step]
                written += step
        except BlockingIOError:
            self._loop.add_writer(self.fd, self._write)
        except OSError:
            self._refuse()
            return
        else:
            self._loop.remove_writer(self.fd)
        self._give_back(written)
        if self._last and not self._waiting:
            self._finish()

    def _give_back(self, written: int) -> None:
        """Return credit in steps, so that small writes do not cost a frame each."""
        self._returned += written
        if self._returned >= _RETURN_BYTES:
            self._send(Kind.CREDIT, count(self._returned))
            self._returned = 0

    def _refuse(self) -> None:
        self._writes = False
        self._waiting.clear()
        self._loop.remove_writer(self.fd)
        self._send(Kind.STOP, b"")
        self._settle()

    def _finish(self) -> None:
        self._writes = False
        if stat.S_ISSOCK(os.fstat(self.fd).st_mode):
            with suppress(OSError), socket.socket(fileno=os.dup(self.fd)) as sock:
                sock.shutdown(socket.SHUT_WR)
        else:  # half a terminal is none
            self.stop()
        self._settle()

    def _settle(self) -> None:
        if not self._reads and not self._writes and self.fd >= 0:
            self.close()
            self._on_done()
