"""One side of a connection, read ahead into a buffer: a plain socket, or TLS on one."""

import asyncio
import socket
import ssl
from typing import Protocol

from workers.sidecars.egress.denial import Gone

READ_BYTES = 64 * 1024


class Wire(Protocol):
    """What both kinds do. `buffer` holds what was read and not used; `ended` tells that nothing follows it."""

    buffer: bytearray
    ended: bool

    async def fill(self) -> bool:
        """Wait for more bytes; False at the end."""

    async def send(self, data: bytes) -> None:
        """Write all, as fast as the other side reads. Raises Gone."""

    def end_writing(self) -> None:
        """Say that nothing more comes from here."""

    def close(self) -> None:
        """Close at once."""


class Plain:
    """A non-blocking stream socket, which it owns. `moved` counts the bytes both ways."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.buffer = bytearray()
        self.ended = False
        self.moved = 0
        self._loop = asyncio.get_running_loop()

    async def fill(self) -> bool:
        """Wait for more bytes; False at the end, also where it was reset."""
        try:
            data = await self._loop.sock_recv(self.sock, READ_BYTES)
        except OSError:
            data = b""
        self.buffer += data
        self.moved += len(data)
        self.ended = not data
        return not self.ended

    async def send(self, data: bytes) -> None:
        """Write all. Raises Gone."""
        try:
            await self._loop.sock_sendall(self.sock, data)
        except OSError as error:
            raise Gone(str(error)) from error
        self.moved += len(data)

    def end_writing(self) -> None:
        """Shut down this direction."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.ended = True

    def close(self) -> None:
        """Close at once."""
        self.sock.close()


class Secure:
    """TLS on a plain wire. One task may read while another writes."""

    def __init__(self, below: Plain, context: ssl.SSLContext, *, hostname: str | None = None) -> None:
        self.below = below
        self.buffer = bytearray()
        self.ended = False
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        served = hostname is None
        self._tls = context.wrap_bio(self._in, self._out, server_side=served, server_hostname=hostname)
        self._writing = asyncio.Lock()

    async def handshake(self) -> None:
        """Shake hands. Raises ssl.SSLError (also for a certificate that is not good), Gone."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._feed():
                    raise Gone("it closed within the handshake") from None
            except ssl.SSLError:
                await self._flush()  # the alert that says why
                raise
            else:
                return await self._flush()

    async def fill(self) -> bool:
        """Wait for more bytes; False at the end, also where it was cut."""
        while True:
            try:
                data = self._tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                await self._flush()
                if await self._feed():
                    continue
                data = b""
            except ssl.SSLError:  # closed in the proper way, or damaged: nothing can follow either
                data = b""
            self.buffer += data
            self.ended = not data
            return not self.ended

    async def send(self, data: bytes) -> None:
        """Write all. Raises Gone."""
        view = memoryview(data)
        while view:
            try:
                self._tls.write(view[:READ_BYTES])
            except ssl.SSLError as error:
                raise Gone("TLS is over") from error
            view = view[READ_BYTES:]
            await self._flush()

    def end_writing(self) -> None:
        """Shut down this direction."""
        self.below.end_writing()

    def close(self) -> None:
        """Close at once."""
        self.below.close()

    async def _feed(self) -> bool:
        if not self.below.buffer and not await self.below.fill():
            return False
        self._in.write(self.below.buffer)
        self.below.buffer.clear()
        return True

    async def _flush(self) -> None:
        async with self._writing:
            if data := self._out.read():
                await self.below.send(data)


def moved(wire: Wire) -> int:
    """Give the bytes that a wire carried both ways, as the network saw them."""
    plain = _plain(wire)
    return plain.moved if plain else 0


async def left(wire: Wire) -> bool:
    """Wait until the other side says something or goes away, and tell whether it went. Nothing is read."""
    plain, loop = _plain(wire), asyncio.get_running_loop()
    if plain is None or plain.buffer or wire.buffer:
        return False
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(plain.sock, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
        return not plain.sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        loop.remove_reader(plain.sock)


def _plain(wire: Wire) -> Plain | None:
    plain = wire.below if isinstance(wire, Secure) else wire
    return plain if isinstance(plain, Plain) else None
