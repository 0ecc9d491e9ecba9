"""One end of a control socket in asyncio: messages out in order, messages in by callback, one call when it ends."""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from workers.sandbox import wire

_QUEUE: Final = 1024
_AT_ONCE: Final = 32

OnMessage = Callable[[dict[str, Any], list[int]], None]
OnEnd = Callable[[], None]


class Channel:
    """One end, which owns `sock`.

    `on_message` gets each message and the fds that came with it (its own to close); `on_end` is called once, when
    the other side is gone or sends nonsense, not after `close`.
    """

    def __init__(self, sock: socket.socket, on_message: OnMessage, on_end: OnEnd) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._on_message = on_message
        self._on_end = on_end
        self._out: deque[tuple[bytes, list[int]]] = deque()
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._loop.add_reader(sock.fileno(), self._read)

    def send(self, message: Mapping[str, Any], fds: Sequence[int] = ()) -> None:
        """Send a message, or queue it while the other side is busy. The fds are copied.

        Raises ConnectionError if the channel has ended, BufferError if 1024 messages wait, ValueError if the message
        is over wire.MESSAGE_BYTES.
        """
        packet = wire.encode(message)
        if not self._open:
            raise ConnectionError("the control socket is closed.")
        if len(self._out) >= _QUEUE:
            raise BufferError(f"{_QUEUE} requests wait for the other side already.")
        self._out.append((packet, [os.dup(fd) for fd in fds]))
        if len(self._out) == 1:
            self._write()

    def close(self) -> None:
        """Close the socket; what was queued is dropped."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        while self._out:
            self._forget_first()

    def detach(self) -> int:
        """Give up the socket, unread and open; BufferError if something waits to be sent."""
        if self._out:
            raise BufferError(f"{len(self._out)} requests wait for the other side.")
        if not self._open:
            raise ConnectionError("the control socket is closed.")
        self._open = False
        self._loop.remove_reader(self._sock.fileno())
        return self._sock.detach()

    def drain(self) -> None:
        """Take what the other side sent before it died."""
        while self._open and self._read():
            pass

    def _write(self) -> None:
        while self._out:
            packet, fds = self._out[0]
            try:
                wire.send_packet(self._sock, packet, fds)
            except BlockingIOError:
                self._loop.add_writer(self._sock.fileno(), self._write)
                return
            except OSError:
                self._end()
                return
            self._forget_first()
        self._loop.remove_writer(self._sock.fileno())

    def _read(self) -> bool:
        """Take a bounded number of messages, to leave the loop to others in between; True if more may wait."""
        for _ in range(_AT_ONCE):
            try:
                received = wire.receive(self._sock)
            except BlockingIOError:
                return False
            except (OSError, wire.WireError):
                received = None
            if received is None:
                self._end()
                return False
            self._on_message(*received)
            if not self._open:
                return False
        return True

    def _end(self) -> None:
        if self._open:
            self.close()
            self._on_end()

    def _forget_first(self) -> None:
        _, fds = self._out.popleft()
        for fd in fds:
            os.close(fd)
