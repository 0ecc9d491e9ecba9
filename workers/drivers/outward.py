"""What goes out of a tunnel: frames in order, and word when there is room again."""

import asyncio
import os
from collections.abc import Callable
from typing import Final

FULL_BYTES: Final = 1024 * 1024
"""Above this nothing more is read that would be sent; what is on its way already is bounded by its credit."""

_MOST_BYTES: Final = 16 * FULL_BYTES


class Outward:
    """Writes to the non-blocking pipe `fd`, which it owns.

    `on_room` is called when it is no longer full, `on_end` once when the other side is gone or takes nothing for so
    long that 16 MiB wait.
    """

    def __init__(self, fd: int, on_room: Callable[[], None], on_end: Callable[[], None]) -> None:
        self._fd = fd
        self._on_room = on_room
        self._on_end = on_end
        self._waiting = bytearray()
        self._open = True
        self._loop = asyncio.get_running_loop()

    @property
    def full(self) -> bool:
        """Whether readers should pause."""
        return len(self._waiting) > FULL_BYTES

    def send(self, frame: bytes) -> None:
        """Send a frame, or queue it."""
        if not self._open:
            return
        idle = not self._waiting
        self._waiting += frame
        if len(self._waiting) > _MOST_BYTES:
            self._end()
        elif idle:
            self._write()

    def close(self) -> None:
        """Close the pipe; what was queued is dropped."""
        if self._open:
            self._open = False
            self._loop.remove_writer(self._fd)
            os.close(self._fd)
            self._waiting.clear()

    def _write(self) -> None:
        full = self.full
        try:
            while self._waiting:
                written = os.write(self._fd, memoryview(self._waiting)[: 256 * 1024])
                del self._waiting[:written]
        except BlockingIOError:
            self._loop.add_writer(self._fd, self._write)
        except OSError:
            self._end()
            return
        else:
            self._loop.remove_writer(self._fd)
        if full and not self.full:
            self._on_room()

    def _end(self) -> None:
        self.close()
        self._on_end()
