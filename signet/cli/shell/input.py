"""Standard input, read by a thread that nobody waits for: the program ends while it still reads."""

import asyncio
import contextlib
import sys
import threading

_READ_BYTES = 65_536


class Input:
    """Gives what comes in, a piece at a time, and reads on only when that was taken. `b""` is its end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._wanted = threading.Semaphore(0)
        self._fd = sys.stdin.fileno()
        threading.Thread(target=self._pump, daemon=True).start()

    async def read(self) -> bytes:
        """Give the next piece."""
        self._wanted.release()
        return await self._pieces.get()

    def _pump(self) -> None:
        import os

        while True:
            self._wanted.acquire()
            try:
                piece = os.read(self._fd, _READ_BYTES)
            except OSError:
                piece = b""
            with contextlib.suppress(RuntimeError):  # the loop is over, and so is what was asked for
                self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)
            if not piece:
                return
