"""The runner's end of a channel to a program inside."""

import asyncio
import json
import os
import socket
from collections.abc import Mapping
from typing import Any, cast

from workers.sandbox.process import Process


class Talk:
    """A program inside that answers JSON lines with JSON lines."""

    def __init__(self, ours: socket.socket, process: Process) -> None:
        self.process = process
        self._ours = ours
        self._rest = b""

    async def ask(self, message: Mapping[str, Any] | None, seconds: float) -> dict[str, Any]:
        """Send a message, if there is one, and give the answer. TimeoutError, ConnectionError if none comes."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            if message is not None:
                await loop.sock_sendall(self._ours, json.dumps(message).encode() + b"\n")
            while b"\n" not in self._rest:
                piece = await loop.sock_recv(self._ours, 1 << 16)
                if not piece:
                    raise ConnectionError("the process inside is gone")
                self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return cast("dict[str, Any]", json.loads(line))

    def shown(self) -> bytes:
        """Give what its terminal shows, if it has one."""
        try:
            return os.read(self.process.terminal, 1 << 16) if self.process.terminal is not None else b""
        except OSError:  # nothing, or it is gone
            return b""
