"""JSON lines between the worker and a process inside a sandbox, over one connected socket."""

import asyncio
import json
import socket
from collections.abc import Mapping
from typing import Any

LINE_BYTES = 4 * 1024 * 1024
"""Most bytes of one line, both ways."""
READ_BYTES = 256 * 1024
BREATH = 64
"""Frames taken from what was read already before others get their turn."""


class LineTooLong(Exception):
    """A line passed LINE_BYTES."""


class BadFrame(Exception):
    """A line was no JSON object."""


def encode(frame: Mapping[str, Any]) -> bytes:
    """Write one line. Half surrogates become question marks."""
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Read one line. Raises BadFrame, which quotes nothing: it came from untrusted code."""
    try:
        frame = json.loads(line.decode("utf-8", "replace"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadFrame("a line is not JSON") from error
    if not isinstance(frame, dict):
        raise BadFrame("a line is not a JSON object")
    return frame


def pair() -> tuple[socket.socket, socket.socket]:
    """Make the two ends: the worker's, non-blocking, and the one that goes inside."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    return ours, theirs


class Frames:
    """The worker's end. What is not read yet waits in the socket, and then holds up whoever writes it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self._searched = 0
        self._taken = 0
        self._writing = asyncio.Lock()

    async def receive(self) -> dict[str, Any] | None:
        """Wait for the next frame; None at the end. Raises LineTooLong, BadFrame."""
        loop = asyncio.get_running_loop()
        while (end := self._buffer.find(b"\n", self._searched)) < 0:
            self._searched = len(self._buffer)
            if self._searched > LINE_BYTES:
                raise LineTooLong
            try:
                chunk = await loop.sock_recv(self._sock, READ_BYTES)
            except ConnectionError:
                return None
            if not chunk:
                return None
            self._buffer += chunk
        if end > LINE_BYTES:
            raise LineTooLong
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        self._taken += 1
        if self._taken % BREATH == 0:
            await asyncio.sleep(0)  # neither reading nor taking need wait while the other side floods
        return decode(line)

    async def send(self, frame: Mapping[str, Any]) -> None:
        """Write a frame whole; nobody reading it is no error. Raises LineTooLong before a byte is written."""
        line = encode(frame)
        if len(line) > LINE_BYTES:
            raise LineTooLong
        async with self._writing:
            try:
                await asyncio.get_running_loop().sock_sendall(self._sock, line)
            except ConnectionError:
                return

    def end(self) -> None:
        """Take what is there already and nothing later: whoever was to write is gone."""
        try:
            self._sock.shutdown(socket.SHUT_RD)
        except OSError:
            return

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


def _no_constant(name: str) -> None:
    raise ValueError(name)
