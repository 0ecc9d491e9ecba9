"""Answers' heads written together with what follows them: one system call for both, and one wake-up of who reads."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD = b"HTTP/1.1 "


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
    """uvicorn's protocol, over such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin."""
        super().connection_made(transport)
        self.transport = Joined(transport)
