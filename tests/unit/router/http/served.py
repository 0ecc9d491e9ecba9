"""A server that says exactly what a test tells it to, byte for byte, on a real socket; and what tests read of it."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from router.http.client import Client
from router.http.limits import Limits
from router.wire import Answer, Request, Target

_RESET = struct.pack("ii", 1, 0)
_WAIT = 10.0

OK = b"HTTP/1.1 200 OK\r\n"
HI = OK + b"content-length: 2\r\n\r\nhi"
ASKED = Request("/chat", b'{"a":1}')


class Peer:
    """One connection, seen from the server."""

    def __init__(self, served: "Served", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.served = served
        self.reader = reader
        self.writer = writer
        self.number = len(served.peers)

    async def request(self) -> tuple[str, dict[str, str], bytes]:
        """Read a request whole: its first line, headers, body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(headers) == len(lines), "a header came twice"
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        self.served.asked.append((first, headers, body))
        await self.served.tell()
        return first, headers, body

    async def send(self, data: bytes) -> None:
        """Say something."""
        self.writer.write(data)
        await self.writer.drain()

    async def dribble(self, data: bytes) -> None:
        """Say it byte by byte."""
        for byte in data:
            await self.send(bytes([byte]))
            await asyncio.sleep(0)

    async def hung_up(self) -> None:
        """Wait until the client is gone."""
        async with asyncio.timeout(_WAIT):
            try:
                while await self.reader.read(65536):
                    pass
            except ConnectionError:
                return

    def reset(self) -> None:
        """End the connection rudely."""
        peer: socket.socket = self.writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Served:
    """What came in: connections, requests, and connections whose script is over."""

    base_url: str = ""
    peers: list[Peer] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    over: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def target(self) -> Target:
        """Where it is."""
        return Target(self.base_url)

    async def tell(self, *, over: bool = False) -> None:
        """Wake who waits."""
        async with self.changed:
            self.over += over
            self.changed.notify_all()

    async def until(self, holds: Callable[["Served"], Any]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(_WAIT), self.changed:
            await self.changed.wait_for(lambda: holds(self))


@asynccontextmanager
async def serving(
    script: Script, *, unix: Path | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Served]:
    """Serve; each connection plays the script."""
    served = Served()
    running: set[asyncio.Task[None]] = set()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        running.add(task)
        peer = Peer(served, reader, writer)
        served.peers.append(peer)
        await served.tell()
        try:
            await script(peer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort() if task.cancelling() else writer.close()
            running.discard(task)
            await served.tell(over=True)

    if unix:
        server = await asyncio.start_unix_server(play, str(unix))
        served.base_url = "http://localhost/v1"
    else:
        server = await asyncio.start_server(play, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        served.base_url = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{port}/v1"
    try:
        yield served
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        if running:
            await asyncio.wait(list(running))
        await asyncio.sleep(0)


def answering(*answers: bytes, then: Script | None = None) -> Script:
    """Make a script: read a request, say an answer, and so on; then what `then` does, or hang up."""

    async def script(peer: Peer) -> None:
        for answer in answers:
            await peer.request()
            await peer.send(answer)
        if then:
            await then(peer)

    return script


async def silence(peer: Peer) -> None:
    """Say nothing more, until the client has left."""
    await peer.hung_up()


async def forever(peer: Peer) -> None:
    """Answer every request."""
    while True:
        await peer.request()
        await peer.send(HI)


@asynccontextmanager
async def client(
    *, proxies: dict[str, str] | None = None, tls: ssl.SSLContext | None = None, **limits: Any
) -> AsyncIterator[Client]:
    """Give a client that is closed in the end."""
    made = Client(Limits(**limits), proxies=proxies or {}, tls=tls)
    try:
        yield made
    finally:
        await made.aclose()
        await asyncio.sleep(0)


async def body(answer: Answer) -> bytes:
    """Read an answer to its end and let it go."""
    parts = []
    try:
        async with asyncio.timeout(2 * _WAIT):
            while piece := await answer.read():
                parts.append(piece)
    finally:
        await answer.aclose()
    return b"".join(parts)


async def ask(wire: Client, served: Served, request: Request = ASKED) -> bytes:
    """Ask, and read the answer whole."""
    async with asyncio.timeout(_WAIT):
        return await body(await wire.open(served.target, request))
