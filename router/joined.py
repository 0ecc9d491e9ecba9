"""uvicorn's protocol, for less of its time.

Answers' heads are written together with what follows them: one system call for both, and one wake-up of who reads. And
who answers is told when the caller leaves, and needs no task that waits for it.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

DEPARTURE = "departure"
"""Where a request's `scope["state"]` holds its caller's Departure."""

HEAD_BYTES = 128 << 10
"""A request's head at most, its path included; two reads of the socket may come on top of it."""
HEAD_SECONDS = 30.0
"""How long a head that came in part may take to come whole."""

_HEAD = b"HTTP/1.1 "
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Departure:
    """Whether the caller at a connection has left, and who is to be told then."""

    __slots__ = ("_flow", "_tasks", "gone")

    def __init__(self, flow: FlowControl) -> None:
        self._flow = flow
        self._tasks: set[asyncio.Task[Any]] = set()  # the last one may still tidy up while the next one begins
        self.gone = False

    @property
    def room(self) -> bool:
        """Whether what is written now goes out, or into a buffer that is not full."""
        return not self._flow.write_paused

    def begin(self, task: asyncio.Task[Any]) -> None:
        """Have a task cancelled when the caller leaves; now, if it has. To be called when the body was read."""
        self._tasks.add(task)
        self._flow.resume_reading()  # a large body stopped it, and an end that is not read is not seen
        if self.gone:
            task.cancel()

    def end(self, task: asyncio.Task[Any]) -> None:
        """Cancel it no more."""
        self._tasks.discard(task)

    def lost(self) -> None:
        """Take note that the caller left."""
        self.gone = True
        for task in self._tasks:
            task.cancel()


class Joined(asyncio.Transport):
    """A transport that holds back what begins as a head, for the next write but never beyond this turn of the loop."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._held = b""
        self._turn: asyncio.Handle | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write, after what is held back."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
            self._held, data = b"", self._held + data
        elif isinstance(data, bytes) and data.startswith(_HEAD):
            self._held = data
            self._turn = self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Write what is held back, then close."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it is closing."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Give what the transport tells of itself."""
        return self._transport.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another protocol told what comes."""
        self._transport.set_protocol(protocol)

    def pause_reading(self) -> None:
        """Take nothing more."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        self._transport.resume_reading()

    def _flush(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
            held, self._held = self._held, b""
            self._transport.write(held)


class JoinedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, over such a transport, with a bound for heads: HEAD_BYTES, within HEAD_SECONDS."""

    _begun = False
    _size = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin."""
        super().connection_made(transport)
        self.transport = Joined(transport)
        self._departure = Departure(self.flow)
        self.app_state = {**self.app_state, DEPARTURE: self._departure}

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._headed()
        self._departure.lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a head that does not end is cut off."""
        self._size += len(data)
        super().data_received(data)
        if not self._begun:
            return
        if self._size > HEAD_BYTES:
            self._cut_off()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self._cut_off)

    def on_message_begin(self) -> None:
        """Begin a head, which may lie behind a body that was read with it."""
        super().on_message_begin()
        self._begun = True
        self._size = 0

    def on_headers_complete(self) -> None:
        """End it."""
        self._headed()
        super().on_headers_complete()

    def _headed(self) -> None:
        self._begun = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut_off(self) -> None:
        self._headed()
        if not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()
